using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Forwarding;

/// <summary>The same of a host with both families. A is that host; B takes what A sends to anywhere.</summary>
public sealed class StackForwarderV6Spec : IDisposable
{
    private static readonly IpEndpoint Web = new(IpAddress.Parse("2001:db8::7"), 80);
    private static readonly IpEndpoint Names = new(IpAddress.Parse("2001:db8::53"), 53);

    private readonly StackPair _pair;
    private readonly StackForwarder _forwarder;

    public StackForwarderV6Spec()
    {
        _pair = new StackPair(static host => new StackOptions
        {
            Interfaces = [new() { Medium = Medium.Ip }],
            Forwarding = host == 1 ? null : new ForwardingOptions { Guest = new GuestAddresses(StackPair.AddressA, StackPair.AddressA6), Handshakes = 2, Datagrams = 2, Echoes = 2 },
        });
        _pair.AddV6();
        Assert.Equal(StackError.None, _pair.A.AddRoute(new IpPrefix(IpAddress.AnyV4, 0), IpAddress.AnyV4));
        Assert.Equal(StackError.None, _pair.A.AddRoute(new IpPrefix(IpAddress.Unspecified, 0), IpAddress.Unspecified));
        _forwarder = _pair.B.Forwarder!;
    }

    public void Dispose() => _pair.Dispose();

    [Theory]
    [InlineData("2001:db8::7")]
    [InlineData("198.51.100.7")]
    public void A_SYN_of_either_family_is_answered_when_it_is_accepted(string destination)
    {
        var web = new IpEndpoint(IpAddress.Parse(destination), 80);
        var (client, source) = Waiting(web);
        Assert.Equal((client.Local, TcpState.SynSent), (source, client.State));
        Assert.Equal(StackError.None, _forwarder.Accept(source, web, default, _pair.Now, out var server));
        Assert.Equal((web, client.Local), (server!.Local, server.Remote));
        Assert.Equal(StackError.None, server.Write(Bytes(1, 2, 3), _pair.Now));
        Assert.Equal(StackError.None, client.Write(Bytes(4, 5), _pair.Now));
        _pair.RunUntil(() => client.Available == 3 && server.Available == 2);
        client.Abort(_pair.Now);
        server.Abort(_pair.Now);
    }

    [Theory]
    [InlineData(StackError.ConnectionRefused, StackError.ConnectionRefused, 0)]
    [InlineData(StackError.NetworkUnreachable, StackError.NetworkUnreachable, 1)]
    [InlineData(StackError.HostUnreachable, StackError.HostUnreachable, 1)]
    [InlineData(StackError.HostDown, StackError.HostUnreachable, 1)]
    [InlineData(StackError.AccessDenied, StackError.AccessDenied, 1)]
    public void What_the_destination_says_of_a_SYN_the_host_sees(StackError reason, StackError seen, int messages)
    {
        var (client, source) = Waiting(Web);
        _forwarder.Refuse(source, Web, reason, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.Equal((messages, 0), (_pair.A.Counters.IcmpInDestUnreachs, _pair.A.Counters.IcmpInBadQuotes));
        Assert.Equal((TcpState.Closed, seen), (client.State, client.Error));
    }

    /// <summary>What comes whole must not be fragmented on its way: only a sender does that in IPv6 (RFC 8200, 5).</summary>
    [Theory]
    [InlineData(1452, true)]
    [InlineData(1453, false)]
    [InlineData(40000, false)]
    [InlineData(65507, false)]
    [InlineData(65527, false)]
    public void A_datagram_of_any_length_and_its_answer_arrive_whole(int length, bool dontFragment)
    {
        var client = Udp();
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        Assert.Equal(StackError.None, client.Send(Bytes(bytes), Names, _pair.Now));
        _pair.RunUntil(() => _pair.News(_forwarder).HasFlag(SocketEvents.Readable), 1);
        Assert.True(_forwarder.TryTakeDatagram(out var payload, out var source, out var destination, out var mustFit));
        Assert.Equal(bytes, payload.Span.ToArray());
        Assert.Equal((Names, StackPair.AddressA6, dontFragment), (destination, source.Address, mustFit));
        _forwarder.Send(payload, destination, source, _pair.Now);
        _pair.RunUntil(() => client.TryReceive(out payload, out source), 1);
        Assert.Equal(bytes, payload!.Span.ToArray());
        Assert.Equal(Names, source);
        payload.Release();
        client.Close();
    }

    [Theory]
    [InlineData(StackError.ConnectionRefused)]
    [InlineData(StackError.HostUnreachable)]
    [InlineData(StackError.AccessDenied)]
    public void A_refused_datagram_is_an_error_of_its_socket(StackError reason)
    {
        var client = Udp();
        RefuseDatagramOf(client, reason, 0);
        Assert.Equal(reason, client.TakeError());
        client.Close();
    }

    [Fact]
    public void Of_a_datagram_that_is_too_long_its_socket_learns_what_fits()
    {
        var client = Udp();
        RefuseDatagramOf(client, StackError.MessageTooLong, 1300);
        Assert.Equal(StackError.MessageTooLong, client.TakeError());
        Assert.Equal(StackError.None, _pair.A.FindPath(Names.Address, default, MtuDiscovery.Want, _pair.Now, out var mtu, out _));
        Assert.Equal(1300, mtu);
        client.Close();
    }

    [Theory]
    [InlineData(56, StackError.None)]
    [InlineData(9000, StackError.None)]
    [InlineData(56, StackError.HostUnreachable)]
    [InlineData(56, StackError.NetworkUnreachable)]
    public void An_echo_request_is_answered_as_its_destination_has(int size, StackError result)
    {
        Assert.Equal(StackError.None, _pair.A.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Web.Address, 5, new byte[size], _pair.Now));
        _pair.RunUntil(() => _pair.News(_forwarder).HasFlag(SocketEvents.Readable), 1);
        Assert.Equal(0, _pair.A.Counters.IcmpInEchoReps);
        Assert.True(_forwarder.TryTakeEcho(out var echo));
        Assert.Equal((Web.Address, size), (echo.Destination, echo.Size));
        _forwarder.Answer(echo, result, _pair.Now);
        IcmpEchoResult answer = default;
        _pair.RunUntil(() => ping.TryReceive(out answer), 1);
        Assert.Equal((result, 5, Web.Address), (answer.Error, answer.Sequence, answer.From));
        ping.Close();
    }

    /// <summary>What a kernel says on every link, and what no host of this link has: dropped, and counted under the reason.</summary>
    [Theory]
    [InlineData("fe80::5", "2001:db8::7", nameof(StackCounters.IpInMartianSource))]
    [InlineData("::1", "2001:db8::7", nameof(StackCounters.IpInMartianSource))]
    [InlineData("ff02::1", "2001:db8::7", nameof(StackCounters.IpInMartianSource))]
    [InlineData("::", "2001:db8::7", nameof(StackCounters.IpInMartianSource))]
    [InlineData("fd00::99", "2001:db8::7", nameof(StackCounters.IpInOwnSource))]
    [InlineData("2001:db8::8", "2001:db8::7", nameof(StackCounters.IpInOwnSource))]
    [InlineData("fd00::1", "::1", nameof(StackCounters.IpInMartianDestination))]
    [InlineData("fd00::1", "::", nameof(StackCounters.IpInMartianDestination))]
    [InlineData("fd00::1", "fe80::7", nameof(StackCounters.IpInAddrErrors))]
    [InlineData("fd00::1", "ff02::16", nameof(StackCounters.IpInAddrErrors))]
    [InlineData("fd00::1", "ff0e::1234", nameof(StackCounters.IpInAddrErrors))]
    [InlineData("::", "ff02::2", nameof(StackCounters.IpInAddrErrors))]
    [InlineData("fe80::5", "ff02::2", nameof(StackCounters.IpInAddrErrors))]
    [InlineData("fe80::5", "ff02::1", nameof(StackCounters.IpInMartianSource))]
    [InlineData("fd00::1", "ff02::1", nameof(StackCounters.IcmpInGroupIgnored))]
    public void What_is_no_packet_of_the_hosts_to_another_host_is_dropped_and_counted(string source, string destination, string counter)
    {
        Echo(IpAddress.Parse(source), IpAddress.Parse(destination));
        _pair.Run(TimeSpan.FromMilliseconds(100));
        Assert.False(_forwarder.TryTakeEcho(out _));
        Assert.Equal(1L, typeof(StackCounters).GetField(counter)!.GetValue(_pair.B.Counters));
        Assert.Equal((0, 0), (_pair.A.Counters.IcmpInMsgs, _pair.B.Counters.IpOutRequests));
    }

    [Fact]
    public void Of_a_host_with_one_family_the_other_is_not_taken()
    {
        using var pair = new StackPair(static host => new StackOptions
        {
            Interfaces = [new() { Medium = Medium.Ip }],
            Forwarding = host == 1 ? null : new ForwardingOptions { Guest = new GuestAddresses(StackPair.AddressA) },
        });
        Assert.Equal(StackError.None, pair.A.AddAddress(new IpPrefix(StackPair.AddressA6, 64), pair.Now));
        Assert.Equal(StackError.None, pair.A.AddRoute(new IpPrefix(IpAddress.Unspecified, 0), IpAddress.Unspecified));
        Assert.Equal(StackError.None, pair.A.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Send(pair.Pool.RentCopy([1]), Names, pair.Now));
        pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.False(pair.B.Forwarder!.TryTakeDatagram(out _, out _, out _, out _));
        Assert.Equal(1, pair.B.Counters.IpInAddrErrors);
        client.Close();
    }

    [Fact]
    public void Addresses_are_of_their_families()
    {
        Assert.Throws<ArgumentException>(static () => new GuestAddresses(StackPair.AddressA6, StackPair.AddressA6));
        Assert.Throws<ArgumentException>(static () => new GuestAddresses(StackPair.AddressA, StackPair.AddressA));
        var both = new GuestAddresses(StackPair.AddressA, StackPair.AddressA6);
        Assert.Equal((StackPair.AddressA, StackPair.AddressA6), (both.Towards(StackPair.AddressB), both.Towards(StackPair.AddressB6)));
        Assert.Equal("10.0.0.1, fd00::1", both.ToString());
        Assert.False(default(GuestAddresses).Contains(default));
        Assert.Empty(default(GuestAddresses).All);
    }

    /// <summary>Has B receive an echo request that A would not send.</summary>
    private void Echo(IpAddress source, IpAddress destination)
    {
        const int Length = Icmpv6Header.Length + 8;
        var packet = _pair.Pool.Rent(Ipv6Header.Length + Length, BufferPool.HeaderRoom);
        var bytes = packet.Append(Ipv6Header.Length + Length);
        bytes.Clear();
        new Ipv6Header { Source = source, Destination = destination, NextHeader = IpProtocol.Icmpv6, HopLimit = 255, PayloadLength = Length }.Emit(bytes);
        var message = bytes[Ipv6Header.Length..];
        message[0] = Icmpv6Type.EchoRequest;
        var checksum = Checksum.Finish(Checksum.Sum(message, Checksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, Length)));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(message[Icmpv6Header.ChecksumOffset..], checksum);
        _pair.B.Receive(packet, _pair.Now);
    }

    private (TcpSocket Client, IpEndpoint Source) Waiting(IpEndpoint to)
    {
        Assert.Equal(StackError.None, _pair.A.Tcp.Connect(to, default(IpEndpoint), default, _pair.Now, out var client));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(_forwarder.TryTakeHandshake(out var source, out var destination));
        Assert.Equal(to, destination);
        return (client!, source);
    }

    /// <summary>Has a datagram of a socket's refused, and lets the answer arrive.</summary>
    private void RefuseDatagramOf(UdpSocket client, StackError reason, int mtu)
    {
        Assert.Equal(StackError.None, client.Connect(Names));
        Assert.Equal(StackError.None, client.Send(Bytes(1), null, _pair.Now));
        _pair.Run(TimeSpan.FromMilliseconds(10));
        Assert.True(_forwarder.TryTakeDatagram(out var payload, out var source, out var destination, out _));
        payload.Release();
        _forwarder.RefuseDatagram(source, destination, reason, mtu, _pair.Now);
        _pair.Run(TimeSpan.FromMilliseconds(10));
    }

    private UdpSocket Udp()
    {
        Assert.Equal(StackError.None, _pair.A.Udp.Bind(default, new(), out var client));
        return client!;
    }

    private PacketBuffer Bytes(params byte[] bytes)
    {
        var buffer = _pair.Pool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }
}
