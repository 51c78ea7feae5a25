using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>The outcome of one echo request.</summary>
/// <param name="From">The host that answered: the destination, or the router that refused; this stack itself when the next hop does not answer.</param>
/// <param name="Error">None for an echo reply; otherwise why the request was refused.</param>
/// <param name="Bytes">Payload bytes of the reply.</param>
/// <param name="HopLimit">As received; 0 when this stack itself reports.</param>
public readonly record struct IcmpEchoResult(
    IpAddress From, ushort Identifier, ushort Sequence, StackError Error, int Bytes, byte HopLimit, TimeSpan RoundTrip);

/// <summary>
/// Sends echo requests and collects their outcomes ("ping"). Event: Readable. An unanswered request produces nothing; the owner decides how long it waits.
/// </summary>
public sealed class IcmpEchoSocket : StackSocket
{
    /// <summary>The largest payload over IPv6, whose length field does not count its own header: 65,535 bytes less the ICMP header.</summary>
    public const int MaxPayload = ushort.MaxValue - Icmpv6Header.Length;

    /// <summary>The same over IPv4: less by its header.</summary>
    public const int MaxPayloadV4 = MaxPayload - Ipv4Header.Length;

    private readonly IcmpLayer _icmp;
    private readonly IpLayer _ip;
    private readonly SocketEventQueue _events;
    private readonly StackCounters _counters;
    private readonly int _limit;
    private readonly Queue<Request> _order = new();
    private readonly Dictionary<ushort, Request> _outstanding = [];
    private readonly Queue<IcmpEchoResult> _results = new();
    private bool _closed;

    internal IcmpEchoSocket(IcmpLayer icmp, IpLayer ip, SocketEventQueue events, StackCounters counters, ushort identifier, int limit)
    {
        _icmp = icmp;
        _ip = ip;
        _events = events;
        _counters = counters;
        _limit = limit;
        Identifier = identifier;
    }

    /// <summary>Chosen by the stack at random, different from those of all other open echo sockets.</summary>
    public ushort Identifier { get; }

    /// <summary>TTL of requests; 0 is the stack's default.</summary>
    public byte HopLimit { get; set; }

    /// <summary>Sends one echo request, in fragments if it is longer than the path takes.</summary>
    /// <param name="payload">Copied.</param>
    /// <param name="source">The own address to send from, which says by which interface; unspecified: the route's.</param>
    /// <returns>None; NetworkUnreachable; MessageTooLong above <see cref="MaxPayload"/>, or to an IPv4 address above <see cref="MaxPayloadV4"/>; NoBufferSpace while egress is full;
    /// AddressNotAvailable: the source is not the stack's; InvalidArgument for a group address or a closed socket.</returns>
    public StackError Send(IpAddress destination, ushort sequence, ReadOnlySpan<byte> payload, Instant now, IpAddress source = default)
    {
        if (_closed || _ip.Addresses.KindOf(destination) is AddressKind.Broadcast or AddressKind.Multicast)
            return StackError.InvalidArgument;
        var error = _ip.Route(destination, source, out var route);
        if (error != StackError.None)
            return error;
        if (payload.Length > (destination.IsV4 ? MaxPayloadV4 : MaxPayload))
            return StackError.MessageTooLong;
        if (!_ip.HasRoom(route.Interface))
            return StackError.NoBufferSpace;

        var length = Icmpv4Header.Length + payload.Length;
        var packet = _ip.Pool.Rent(length, BufferPool.HeaderRoom);
        payload.CopyTo(packet.Append(length)[Icmpv4Header.Length..]);
        var isV4 = destination.IsV4;
        if (isV4)
            Icmpv4Header.EchoRequest(Identifier, sequence).Emit(packet.Span);
        else
            Icmpv6Header.EchoRequest(Identifier, sequence).Emit(packet.Span);
        Remember(new Request(sequence, destination, now));
        _counters.IcmpOutEchos++;
        _ip.Send(
            packet,
            new IpSendInfo
            {
                Source = route.Source,
                Destination = destination,
                Protocol = isV4 ? IpProtocol.Icmp : IpProtocol.Icmpv6,
                HopLimit = HopLimit,
                ChecksumOffset = isV4 ? -1 : Icmpv6Header.ChecksumOffset,
                Fragmentation = Fragmentation.Avoided,
                Mtu = _icmp.MtuTo(destination, route.Mtu, now),
            },
            now);
        return StackError.None;
    }

    /// <summary>Takes the oldest result.</summary>
    public bool TryReceive(out IcmpEchoResult result) => _results.TryDequeue(out result);

    /// <summary>Gives the identifier back. No event follows.</summary>
    public void Close()
    {
        if (_closed)
            return;
        _closed = true;
        _icmp.Closed(this);
        _outstanding.Clear();
        _order.Clear();
        _results.Clear();
    }

    /// <returns>False: no such request is outstanding.</returns>
    internal bool Replied(in IpReceiveInfo info, ushort sequence, int bytes, Instant now)
    {
        // Only the destination may answer a request, and once: a second answer is a duplicate.
        if (!_outstanding.TryGetValue(sequence, out var request) || request.Destination != info.Source)
            return false;
        Finish(request, info.Source, StackError.None, bytes, info.HopLimit, now);
        return true;
    }

    /// <returns>False: no such request is outstanding.</returns>
    internal bool Refused(IpAddress from, IpAddress destination, ushort sequence, StackError error, Instant now)
    {
        if (!_outstanding.TryGetValue(sequence, out var request) || request.Destination != destination)
            return false;
        Finish(request, from, error, 0, 0, now);
        return true;
    }

    private void Finish(in Request request, IpAddress from, StackError error, int bytes, byte hopLimit, Instant now)
    {
        _outstanding.Remove(request.Sequence);
        if (_results.Count == _limit)
        {
            _counters.IcmpEchoQueueOverflow++;
            _results.Dequeue();
        }

        _results.Enqueue(new IcmpEchoResult(from, Identifier, request.Sequence, error, bytes, hopLimit, now - request.SentAt));
        _events.Raise(this, SocketEvents.Readable);
    }

    private void Remember(in Request request)
    {
        _outstanding[request.Sequence] = request;
        _order.Enqueue(request);
        while (_order.Count > _limit)
        {
            // Of requests with the same sequence number only the newest counts.
            var oldest = _order.Dequeue();
            if (_outstanding.TryGetValue(oldest.Sequence, out var current) && current == oldest)
                _outstanding.Remove(oldest.Sequence);
        }
    }

    private readonly record struct Request(ushort Sequence, IpAddress Destination, Instant SentAt);
}
