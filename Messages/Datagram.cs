using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Messages;

/// <summary>
/// DatagramActor, or an actor of the proxy that owns a UDP socket, as in all of this conversation → StackActor: open a UDP socket. Answered once:
/// <see cref="DatagramOpened"/> or <see cref="DatagramOpenFailed"/>.
/// </summary>
/// <param name="Local">Address or wildcard; port 0 has one chosen.</param>
/// <param name="Kind">With <see cref="DatagramKind.Echo"/>, the port is the identifier of the requests. The stack actor is that of shard 0 then, which has all answers.</param>
public sealed record OpenDatagram(IpEndpoint Local, UdpSocketOptions Options, DatagramKind Kind = DatagramKind.Udp);

/// <summary>StackActor → DatagramActor: the socket is open. Datagrams follow while <see cref="ReceiveDatagrams"/> allows.</summary>
public sealed record DatagramOpened(SocketId Id, IpEndpoint Local)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>StackActor → DatagramActor: the socket could not be opened.</summary>
public sealed record DatagramOpenFailed(StackError Error);

/// <summary>DatagramActor → StackActor: set the peer, or remove it (null). Answered by <see cref="DatagramConnected"/>.</summary>
public sealed record ConnectDatagram(SocketId Id, IpEndpoint? Remote)
{
    /// <inheritdoc cref="Connect.Zone"/>
    public string? Zone { get; init; }
}

/// <summary>StackActor → DatagramActor: the peer is set, or <paramref name="Error"/> gives the reason why not.</summary>
public sealed record DatagramConnected(StackError Error, IpEndpoint Local)
{
    /// <inheritdoc cref="Bound.Interface"/>
    public byte? Interface { get; init; }
}

/// <summary>DatagramActor → StackActor: I can take <paramref name="Count"/> more datagrams. Until then they wait in the socket's bounded queue. A long datagram counts as
/// several: <see cref="DatagramReceived.CreditUsed"/>.</summary>
public sealed record ReceiveDatagrams(SocketId Id, int Count);

/// <summary>StackActor → DatagramActor: one datagram and its sender.</summary>
/// <param name="Stamp">When it arrived, in nanoseconds since 1970 (UTC), if the socket has <see cref="SocketOption.ArrivalTimes"/>; otherwise 0.</param>
public sealed record DatagramReceived(PacketBuffer Data, IpEndpoint From, DatagramInfo Info = default, long Stamp = 0) : IOwnsBuffers, IDeadLetterSuppression
{
    /// <summary>Returns such a message: the one that has carried the buffer before, if all else is the same.</summary>
    public static DatagramReceived Of(PacketBuffer data, in IpEndpoint from, in DatagramInfo info = default, long stamp = 0)
    {
        var carried = BufferMessages.Of(data);
        return carried.DatagramReceived is { } before && before.From == from && before.Info == info && before.Stamp == stamp
            ? before
            : carried.DatagramReceived = new DatagramReceived(data, from, info, stamp);
    }

    /// <summary>What it takes of the receiver's credit, so that long datagrams do not take many times the memory of short ones. To be read while the buffer is held.</summary>
    public int CreditUsed() => 1 + Data.Capacity / BytesPerCredit;

    private const int BytesPerCredit = 16 << 10;

    public void Release() => Data.Release();
}

/// <summary>DatagramActor → StackActor: send one datagram. Answered by <see cref="DatagramSent"/>.</summary>
/// <param name="To">Null sends to the connected peer.</param>
/// <param name="Options">What differs from the socket's options.</param>
public sealed record SendDatagram(SocketId Id, PacketBuffer Data, IpEndpoint? To, UdpSendOptions Options = default) : IOwnsBuffers, IDeadLetterSuppression
{
    /// <summary>Returns such a message: the one that has carried the buffer before, if all else is the same.</summary>
    public static SendDatagram Of(SocketId id, PacketBuffer data, IpEndpoint? to, in UdpSendOptions options = default)
    {
        var carried = BufferMessages.Of(data);
        return carried.SendDatagram is { } before && before.Id == id && before.To == to && before.Options == options
            ? before
            : carried.SendDatagram = new SendDatagram(id, data, to, options);
    }

    public void Release() => Data.Release();
}

/// <summary>StackActor → DatagramActor: the datagram was sent, or refused for <paramref name="Error"/>.</summary>
public sealed record DatagramSent(StackError Error) : IDeadLetterSuppression;

/// <summary>StackActor → DatagramActor: an ICMP error has come back for a connected socket, or for one that has <see cref="SocketOption.ErrorReports"/>. The next
/// call of the application reports it.</summary>
/// <param name="Report">What is known of it, if the socket has asked for that.</param>
public sealed record DatagramError(StackError Error, UdpErrorReport? Report = null);

/// <summary>DatagramActor → StackActor: how long may packets to a destination be? Answered by <see cref="PathFound"/>, in order with the answers about
/// options.</summary>
/// <param name="Source">An own address, or unspecified.</param>
/// <param name="Discovery">How the sender learns what the path takes.</param>
public sealed record FindPath(IpAddress Destination, IpAddress Source, MtuDiscovery Discovery = MtuDiscovery.Want);

/// <summary>StackActor → DatagramActor: the answer to <see cref="FindPath"/>.</summary>
/// <param name="Error">None, or why nothing can be sent there.</param>
/// <param name="Mtu">The largest packet to the destination, in bytes.</param>
/// <param name="Least">The largest packet that goes to any destination, as far as is known.</param>
public sealed record PathFound(StackError Error, int Mtu, int Least);

/// <summary>DatagramActor → StackActor: close the socket. No answer.</summary>
public sealed record CloseDatagram(SocketId Id);
