using System.Runtime.InteropServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>
/// Makes datagrams whole from their fragments (RFC 791, 3.2; RFC 815; RFC 1122, 3.3.2). Memory is bounded in all and for each sender (<see cref="FragmentOptions"/>); the oldest
/// datagram gives way. A datagram of which a fragment overlaps another one is dropped, as in IPv6 (RFC 5722) and Linux: honest senders make no such fragments.
/// </summary>
internal sealed class FragmentTable(FragmentOptions options, BufferPool pool, TimerWheel timers, IcmpErrors errors, StackCounters counters)
{
    /// <summary>What a fragment, and a datagram, takes beside the bytes of buffers, about: objects, and places in tables.</summary>
    private const int FragmentOverhead = 128;
    private const int DatagramOverhead = 384;

    /// <summary>Objects that are kept for reuse.</summary>
    private const int MaxSpare = 64;

    /// <summary>Least length of the first fragment of a TCP segment (RFC 1858, 3.2.1): its flags are within. A second one that begins before that is as bad (RFC 3128).</summary>
    private const int LeastTcp = 16;

    // The four values of the ECN field as bits of FragmentedDatagram.Ecn.
    private const byte NotCapable = 1 << 0;
    private const byte Congested = 1 << EcnField.Experienced;

    private readonly Dictionary<FragmentKey, FragmentedDatagram> _datagrams = [];
    private readonly Dictionary<IpAddress, FragmentGroup> _sources = [];
    private readonly FragmentGroup _all = new(ofSource: false);
    private readonly Stack<FragmentedDatagram> _spare = new();
    private readonly Stack<FragmentGroup> _spareSources = new();

    /// <summary>Datagrams of which fragments are here.</summary>
    public int Count => _datagrams.Count;

    /// <summary>Bytes of memory that they are charged with.</summary>
    public long Memory => _all.Memory;

    /// <summary>Once memory is exhausted, fragments are dropped.</summary>
    public MemoryLevel MemoryLevel { get; set; }

    /// <summary>Takes a fragment over.</summary>
    /// <param name="packet">Begins with a valid IPv4 header; may have the frame's padding at its end.</param>
    /// <param name="info">The same header.</param>
    /// <returns>The whole packet, its IP header first, if this fragment completes it. Its transport checksum has been verified by nobody. Otherwise null.</returns>
    public PacketBuffer? Add(PacketBuffer packet, in IpReceiveInfo info, Instant now)
    {
        counters.IpReasmReqds++;
        if (!Ipv4View.TryParse(packet.Span, out var header) || IsMalformed(header))
            return Drop(packet, ref counters.IpReasmMalformed);
        if (MemoryLevel == MemoryLevel.Exhausted)
            return Drop(packet, ref counters.IpReasmMemErrors);
        var key = new FragmentKey(info.Source, info.Destination, header.Identification, header.Protocol, info.Interface);
        var start = header.FragmentOffset;
        var isLast = !header.MoreFragments;
        packet.Truncate(header.TotalLength);
        packet = pool.Fit(packet);
        packet.TrimStart(info.HeaderLength);
        var end = start + packet.Length;

        if (!_datagrams.TryGetValue(key, out var datagram))
            datagram = Begin(key, now);
        switch (datagram.PlaceOf(start, end, isLast, out var index))
        {
            case FragmentPlace.Duplicate:
                return Drop(packet, ref counters.IpReasmDuplicates);
            case FragmentPlace.Overlap:
                return GiveUp(datagram, packet, ref counters.IpReasmOverlaps);
            case FragmentPlace.Contradiction:
                return GiveUp(datagram, packet, ref counters.IpReasmMalformed);
            case FragmentPlace.Missing when datagram.Count == options.PerDatagram:
                return GiveUp(datagram, packet, ref counters.IpReasmTooMany);
        }

        if (!TryCharge(datagram, packet.Capacity + FragmentOverhead))
            return GiveUp(datagram, packet, ref counters.IpReasmEvicted);
        datagram.Insert(packet, index, start, end, isLast, info);
        datagram.Ecn |= (byte)(1 << (info.TrafficClass & EcnField.Mask));
        return datagram.IsComplete ? Complete(datagram) : null;
    }

    /// <summary>Forgets the fragments that have come on an interface.</summary>
    public void Forget(NetworkInterface from)
    {
        for (var datagram = _all.Oldest; datagram is not null;)
        {
            var newer = datagram.LinksIn(ofSource: false).Newer;
            if (datagram.Key.Interface == from.Index)
                Remove(datagram);
            datagram = newer;
        }
    }

    /// <summary>Forgets all fragments.</summary>
    public void Clear()
    {
        while (_all.Oldest is { } datagram)
            Remove(datagram);
    }

    /// <summary>What is missing has not come in time. The sender is told if the first fragment has come (RFC 792), as its header says what is lost.</summary>
    public void TimedOut(FragmentedDatagram datagram, Instant now)
    {
        counters.IpReasmTimeout++;
        counters.IpReasmFails++;
        if (datagram.First is { } first && MayAnswer(datagram.Key.Protocol, first.Span))
            errors.SendReassemblyTimeExceeded(first, datagram.Info, now);
        Remove(datagram);
    }

    /// <summary>RFC 1122, 3.2.2: no error about an ICMP error.</summary>
    private static bool MayAnswer(byte protocol, ReadOnlySpan<byte> transport) =>
        protocol != IpProtocol.Icmp || (Icmpv4View.TryParse(transport, out var icmp) && icmp.Type is Icmpv4Type.Echo or Icmpv4Type.EchoReply);

    private static bool IsMalformed(in Ipv4View header)
    {
        var length = header.TotalLength - header.HeaderLength;
        var offset = header.FragmentOffset;
        if (length == 0 || (header.MoreFragments && length % 8 != 0) || header.HeaderLength + offset + length > ushort.MaxValue)
            return true;
        return header.Protocol == IpProtocol.Tcp && (offset == 0 ? length < LeastTcp : offset < LeastTcp);
    }

    private FragmentedDatagram Begin(in FragmentKey key, Instant now)
    {
        if (_datagrams.Count >= options.Datagrams)
            Evict(_all.Oldest!);
        ref var source = ref CollectionsMarshal.GetValueRefOrAddDefault(_sources, key.Source, out _);
        source ??= _spareSources.TryPop(out var group) ? group : new FragmentGroup(ofSource: true);
        if (!_spare.TryPop(out var datagram))
            datagram = new FragmentedDatagram(this);
        datagram.Begin(key, source);
        _datagrams.Add(key, datagram);
        _all.Add(datagram);
        source.Add(datagram);
        TryCharge(datagram, DatagramOverhead);
        timers.Arm(datagram, now + options.Timeout);
        return datagram;
    }

    /// <summary>Charges a datagram with more memory, for which others give way.</summary>
    /// <returns>False: it alone takes more than there may be.</returns>
    private bool TryCharge(FragmentedDatagram datagram, int bytes)
    {
        datagram.Memory += bytes;
        datagram.Source.Memory += bytes;
        _all.Memory += bytes;
        while (datagram.Source.Memory > options.MemoryPerSource && datagram.Source.OldestBut(datagram) is { } older)
            Evict(older);
        while (_all.Memory > options.Memory && _all.OldestBut(datagram) is { } older)
            Evict(older);
        return datagram.Source.Memory <= options.MemoryPerSource && _all.Memory <= options.Memory;
    }

    private void Evict(FragmentedDatagram datagram)
    {
        counters.IpReasmEvicted++;
        counters.IpReasmFails++;
        Remove(datagram);
    }

    /// <summary>Makes the whole packet, in the header of the first fragment.</summary>
    private PacketBuffer? Complete(FragmentedDatagram datagram)
    {
        var header = datagram.Info.HeaderLength;
        var length = header + datagram.Length;
        if (length > ushort.MaxValue)
            return GiveUp(datagram, null, ref counters.IpReasmMalformed);
        var ecn = datagram.Ecn;
        // RFC 3168, 5.3: a mark of congestion must not get lost, and fragments that can be marked do not come with others that cannot.
        if ((ecn & NotCapable) != 0 && ecn != NotCapable)
            return GiveUp(datagram, null, ref counters.IpReasmBadEcn);

        var whole = pool.Rent(length, BufferPool.HeaderRoom);
        whole.Interface = datagram.Key.Interface;
        var first = datagram.First!;
        first.Prepend(header);
        var bytes = whole.Append(length);
        first.Span[..header].CopyTo(bytes);
        first.TrimStart(header);
        datagram.CopyTo(bytes[header..]);
        if ((ecn & Congested) != 0)
            bytes[Ipv4Field.TrafficClass] |= EcnField.Experienced;
        Ipv4Header.Refit(bytes[..header], length, offset: 0, hasMore: false);
        Remove(datagram);
        counters.IpReasmOKs++;
        return whole;
    }

    private PacketBuffer? GiveUp(FragmentedDatagram datagram, PacketBuffer? packet, ref long counter)
    {
        counter++;
        counters.IpReasmFails++;
        packet?.Release();
        Remove(datagram);
        return null;
    }

    private void Remove(FragmentedDatagram datagram)
    {
        timers.Cancel(datagram);
        datagram.Clear();
        _datagrams.Remove(datagram.Key);
        _all.Memory -= datagram.Memory;
        _all.Remove(datagram);
        var source = datagram.Source;
        source.Memory -= datagram.Memory;
        source.Remove(datagram);
        if (source.Oldest is null)
        {
            _sources.Remove(datagram.Key.Source);
            if (_spareSources.Count < MaxSpare)
                _spareSources.Push(source);
        }

        if (_spare.Count < MaxSpare)
            _spare.Push(datagram);
    }

    private static PacketBuffer? Drop(PacketBuffer packet, ref long counter)
    {
        counter++;
        packet.Release();
        return null;
    }
}
