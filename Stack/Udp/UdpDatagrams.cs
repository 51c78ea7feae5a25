using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Udp;

/// <summary>What is known of a received datagram beside its sender.</summary>
/// <param name="Destination">The address that it was sent to: one of the stack's, or a group.</param>
/// <param name="Local">The own address that an answer comes from: the destination, or for a group the interface's.</param>
/// <param name="HopLimit">TTL as received.</param>
/// <param name="TrafficClass">DSCP and ECN bits as received.</param>
/// <param name="Interface">The index of the interface that received it; <see cref="Loopback"/>: this stack sent it.</param>
/// <param name="Drops">Datagrams that the socket had no room for by then (SO_RXQ_OVFL).</param>
/// <param name="Arrived">Null unless the socket has <see cref="UdpSocketOptions.ArrivalTimes"/>.</param>
public readonly record struct DatagramInfo(
    IpAddress Destination, IpAddress Local, byte HopLimit, byte TrafficClass, byte Interface, uint Drops, Instant? Arrived = null)
{
    /// <summary>The interface of packets that a stack sends to itself.</summary>
    public const byte Loopback = Interfaces.InterfaceTable.Loopback;
}

/// <summary>What is asked for one datagram, in place of the socket's options (ip(7), udp(7): control messages). <c>default</c> asks for nothing.</summary>
public readonly record struct UdpSendOptions
{
    /// <summary>The own address to send from; unspecified: the socket's, or the route's.</summary>
    public IpAddress Source { get; init; }

    /// <summary>The index of the interface whose address is the source, where no source is given; null: any.</summary>
    public byte? Interface { get; init; }

    /// <summary>TTL; 0: the socket's.</summary>
    public byte HopLimit { get; init; }

    /// <summary>DSCP and ECN bits; null: the socket's.</summary>
    public byte? TrafficClass { get; init; }

    /// <summary>UDP_SEGMENT: bytes of payload in each datagram that the payload is cut into, 0 for none; null: the socket's.</summary>
    public ushort? SegmentSize { get; init; }

    /// <summary>What becomes of a datagram that is longer than the path takes; null: what the socket says.</summary>
    public MtuDiscovery? MtuDiscovery { get; init; }
}

/// <summary>Who has reported an error, with Linux's numbers (SO_EE_ORIGIN).</summary>
public enum UdpErrorOrigin : byte
{
    /// <summary>This stack.</summary>
    Local = 1,

    /// <summary>An ICMP message.</summary>
    Icmp = 2,

    /// <summary>An ICMPv6 message.</summary>
    Icmpv6 = 3,
}

/// <summary>An error about a datagram that was sent, as IP_RECVERR reports it (struct sock_extended_err).</summary>
/// <param name="Destination">Where the datagram was sent to.</param>
/// <param name="Offender">Who has reported it.</param>
/// <param name="Type">Of the ICMP message.</param>
/// <param name="Code">Of the ICMP message.</param>
/// <param name="Mtu">With <see cref="StackError.MessageTooLong"/>: the largest packet, in bytes.</param>
/// <param name="HopLimit">TTL of the ICMP message as received.</param>
/// <param name="TrafficClass">DSCP and ECN bits of the ICMP message as received.</param>
/// <param name="Payload">What was quoted of the datagram's payload, or all of it.</param>
public sealed record UdpErrorReport(
    StackError Error, IpEndpoint Destination, IpAddress Offender, UdpErrorOrigin Origin, byte Type, byte Code, int Mtu, byte HopLimit, byte TrafficClass,
    ReadOnlyMemory<byte> Payload);
