using System.Runtime.InteropServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Ip;

/// <summary>
/// Makes datagrams whole from their fragments (RFC 791, 3.2; RFC 815; RFC 1122, 3.3.2; RFC 8200, 4.5). Memory is bounded in all and for each sender (<see cref="FragmentOptions"/>); the oldest
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

    /// <summary>Takes an IPv4 fragment over.</summary>
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
        packet.Truncate(header.TotalLength);
        return Add(packet, info, new Fragment(header.Identification, header.Protocol, header.FragmentOffset, !header.MoreFragments, 0), now);
    }

    /// <summary>Takes an IPv6 fragment over.</summary>
    /// <param name="packet">Begins with a valid IPv6 header, and ends with the packet.</param>
    /// <param name="info">The same header; its length is that of all headers, the fragment header included.</param>
    /// <param name="nextHeaderAt">The offset of the byte that announces the fragment header.</param>
    /// <returns>As for IPv4. The whole packet has no fragment header.</returns>
    public PacketBuffer? AddV6(PacketBuffer packet, in IpReceiveInfo info, in Ipv6FragmentHeader header, int nextHeaderAt, Instant now)
    {
        counters.IpReasmReqds++;
        var length = packet.Length - info.HeaderLength;
        if (length <= 0 || IsTiny(header.NextHeader, header.Offset, length))
            return Drop(packet, ref counters.IpReasmMalformed);
        if (MemoryLevel == MemoryLevel.Exhausted)
            return Drop(packet, ref counters.IpReasmMemErrors);
        return Add(packet, info, new Fragment(header.Identification, header.NextHeader, header.Offset, !header.MoreFragments, nextHeaderAt), now);
    }

    private PacketBuffer? Add(PacketBuffer packet, in IpReceiveInfo info, in Fragment fragment, Instant now)
    {
        // In IPv6 the first fragment alone says what protocol the datagram is of (RFC 8200, 4.5).
        var key = new FragmentKey(info.Source, info.Destination, fragment.Identification, info.Source.IsV4 ? fragment.Protocol : Ipv6Extension.Fragment, info.Interface);
        var start = fragment.Offset;
        var isLast = fragment.IsLast;
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
        if (start == 0)
            (datagram.Protocol, datagram.NextHeaderAt) = (fragment.Protocol, fragment.NextHeaderAt);
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
        if (datagram.First is { } first && MayAnswer(datagram.Protocol, first.Span))
            errors.SendReassemblyTimeExceeded(first, datagram.Info, now);
        Remove(datagram);
    }

    /// <summary>RFC 1122, 3.2.2 and RFC 4443, 2.4(e): no error about an ICMP error.</summary>
    private static bool MayAnswer(byte protocol, ReadOnlySpan<byte> transport) => protocol switch
    {
        IpProtocol.Icmp => Icmpv4View.TryParse(transport, out var icmp) && icmp.Type is Icmpv4Type.Echo or Icmpv4Type.EchoReply,
        IpProtocol.Icmpv6 => Icmpv6View.TryParse(transport, out var icmp) && !Icmpv6Type.IsErrorOrRedirect(icmp.Type),
        _ => true,
    };

    private static bool IsMalformed(in Ipv4View header)
    {
        var length = header.TotalLength - header.HeaderLength;
        var offset = header.FragmentOffset;
        if (length == 0 || (header.MoreFragments && length % 8 != 0) || header.HeaderLength + offset + length > ushort.MaxValue)
            return true;
        return IsTiny(header.Protocol, offset, length);
    }

    private static bool IsTiny(byte protocol, int offset, int length) => protocol == IpProtocol.Tcp && (offset == 0 ? length < LeastTcp : offset < LeastTcp);

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
        var isV4 = datagram.Info.Source.IsV4;
        var received = datagram.Info.HeaderLength;
        var header = isV4 ? received : received - Ipv6FragmentHeader.Length;
        var length = header + datagram.Length;
        if (length - (isV4 ? 0 : Ipv6Header.Length) > ushort.MaxValue)
            return GiveUp(datagram, null, ref counters.IpReasmMalformed);
        var ecn = datagram.Ecn;
        // RFC 3168, 5.3: a mark of congestion must not get lost, and fragments that can be marked do not come with others that cannot.
        if ((ecn & NotCapable) != 0 && ecn != NotCapable)
            return GiveUp(datagram, null, ref counters.IpReasmBadEcn);

        var whole = pool.Rent(length, BufferPool.HeaderRoom);
        whole.Interface = datagram.Key.Interface;
        var first = datagram.First!;
        first.Prepend(received);
        var bytes = whole.Append(length);
        first.Span[..header].CopyTo(bytes);
        first.TrimStart(received);
        datagram.CopyTo(bytes[header..]);
        if (isV4)
            Ipv4Header.Refit(bytes[..header], length, offset: 0, hasMore: false, (ecn & Congested) != 0);
        else
            Ipv6FragmentHeader.Undo(bytes, length, datagram.NextHeaderAt, datagram.Protocol, (ecn & Congested) != 0);
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

    /// <param name="Protocol">Of the whole datagram.</param>
    /// <param name="NextHeaderAt">Of IPv6: the offset of the byte that announces the fragment header.</param>
    private readonly record struct Fragment(uint Identification, byte Protocol, int Offset, bool IsLast, int NextHeaderAt);
}
