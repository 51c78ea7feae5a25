using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp;

/// <summary>The UDP port of one interface's DHCP client or server, of either family. While it is open no other socket receives what is sent there. Event: Readable.</summary>
public abstract class DhcpPort : StackSocket
{
    /// <summary>Messages that wait for the owner; further ones are dropped.</summary>
    private protected const int MostMessages = 16;

    private readonly int _longest;
    private readonly SocketEventQueue _events;
    private readonly StackCounters _counters;
    private readonly Queue<(byte[] Message, IpAddress Source)> _messages = new();

    /// <param name="longest">Bytes of the longest message that the owner reads.</param>
    private protected DhcpPort(NetworkInterface on, int longest, SocketEventQueue events, StackCounters counters)
    {
        Interface = on;
        _longest = longest;
        _events = events;
        _counters = counters;
    }

    public NetworkInterface Interface { get; }

    /// <summary>Takes the oldest message. One that is longer than the owner reads has one byte more than that here.</summary>
    public bool TryReceive(out ReadOnlyMemory<byte> message, out IpAddress source)
    {
        var any = _messages.TryDequeue(out var next);
        (message, source) = next;
        return any;
    }

    /// <inheritdoc cref="TryReceive(out ReadOnlyMemory{byte}, out IpAddress)"/>
    public bool TryReceive(out ReadOnlyMemory<byte> message) => TryReceive(out message, out _);

    /// <summary>Closes the socket. No event follows.</summary>
    public virtual void Close() => _messages.Clear();

    private protected static bool HasValidChecksum(PacketBuffer packet, in Ipv4View header, ReadOnlySpan<byte> datagram, ushort checksum) =>
        packet.Offload.Checksum != ChecksumState.None || checksum == 0
        || Checksum.Sum(datagram, Checksum.PseudoHeader(IpAddress.FromV4(header.Source), IpAddress.FromV4(header.Destination), IpProtocol.Udp, datagram.Length)) == 0xFFFF;

    /// <summary>IPv6 has no datagram without a checksum (RFC 8200, 8.1).</summary>
    private protected static bool HasValidChecksum(PacketBuffer packet, in IpReceiveInfo info, ReadOnlySpan<byte> datagram, ushort checksum) =>
        packet.Offload.Checksum != ChecksumState.None
        || (checksum != 0 && Checksum.Sum(datagram, Checksum.PseudoHeader(info.Source, info.Destination, IpProtocol.Udp, datagram.Length)) == 0xFFFF);

    private protected void Raise() => _events.Raise(this, SocketEvents.Readable);

    /// <summary>Queues a datagram's payload for the owner, or counts that there is no room.</summary>
    private protected void Take(ReadOnlySpan<byte> message, IpAddress source)
    {
        if (_messages.Count == MostMessages)
        {
            _counters.UdpRcvbufErrors++;
            return;
        }

        _counters.UdpInDatagrams++;
        _messages.Enqueue((message[..Math.Min(message.Length, _longest + 1)].ToArray(), source));
        Raise();
    }
}
