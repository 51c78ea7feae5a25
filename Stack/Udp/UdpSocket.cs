using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Udp;

/// <summary>
/// A UDP socket. Events: Readable when a datagram or an error can be taken, Writable when room in the send queue is free again after a refusal, Closed
/// when the stack has taken the socket's address away.
/// </summary>
public sealed class UdpSocket : StackSocket
{
    /// <summary>The address and port this socket is bound to; the address may be unspecified.</summary>
    public IpEndpoint Local { get; private set; }

    /// <summary>The connected peer; port 0 when there is none.</summary>
    public IpEndpoint Remote { get; private set; }

    /// <summary>Bytes of payload that <see cref="Send"/> takes now.</summary>
    public int SendRoom => 0;

    /// <summary>TTL of packets sent; 0 is the stack's default.</summary>
    public byte HopLimit { get; set; }

    /// <summary>DSCP and ECN bits of packets sent.</summary>
    public byte TrafficClass { get; set; }

    /// <summary>SO_BROADCAST.</summary>
    public bool Broadcast { get; set; }

    /// <summary>Sets the default destination and receives only from it; its ICMP errors are reported. Port 0 dissolves the association.</summary>
    public StackError Connect(IpEndpoint remote, Instant now) => throw new NotSupportedException();

    /// <summary>Sends one datagram. Takes the payload over in every case; it needs <see cref="BufferPool.HeaderRoom"/> of headroom, or is referred to as a fragment.</summary>
    /// <param name="to">Null sends to the connected peer.</param>
    public StackError Send(PacketBuffer payload, IpEndpoint? to, Instant now) => throw new NotSupportedException();

    /// <summary>Takes the oldest datagram; the caller owns the buffer, which holds exactly the payload (possibly no bytes).</summary>
    public bool TryReceive([NotNullWhen(true)] out PacketBuffer? payload, out IpEndpoint from) => throw new NotSupportedException();

    /// <summary>Takes the pending error (SO_ERROR): None, or why an earlier datagram was lost.</summary>
    public StackError TakeError() => throw new NotSupportedException();

    /// <summary>Frees the port and everything queued. No event follows.</summary>
    public void Close() => throw new NotSupportedException();
}
