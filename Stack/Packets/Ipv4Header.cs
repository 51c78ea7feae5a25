using System.Runtime.InteropServices;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Packets;

/// <summary>IP protocol numbers that this stack speaks.</summary>
public static class IpProtocol
{
    public const byte Icmp = 1;
    public const byte Igmp = 2;
    public const byte Tcp = 6;
    public const byte Udp = 17;
    public const byte Icmpv6 = 58;
}

/// <summary>A view of an IPv4 header. The lengths in it may be wrong; callers check them.</summary>
public readonly ref struct Ipv4View
{
    private readonly ref readonly byte _start;

    private Ipv4View(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public int Version => Octets.Get8(in _start, Ipv4Field.VersionAndLength) >> 4;

    /// <summary>Length of the header in bytes, 0..60 in steps of 4.</summary>
    public int HeaderLength => (Octets.Get8(in _start, Ipv4Field.VersionAndLength) & 0xF) * 4;

    public byte TrafficClass => Octets.Get8(in _start, Ipv4Field.TrafficClass);

    public int TotalLength => Octets.Get16(in _start, Ipv4Field.TotalLength);

    public ushort Identification => Octets.Get16(in _start, Ipv4Field.Identification);

    public bool DontFragment => (Octets.Get16(in _start, Ipv4Field.Fragment) & Ipv4Field.DontFragment) != 0;

    /// <summary>More fragments follow, or this is not the first.</summary>
    public bool IsFragment => (Octets.Get16(in _start, Ipv4Field.Fragment) & Ipv4Field.IsFragmentMask) != 0;

    /// <summary>This is not the last fragment.</summary>
    public bool MoreFragments => (Octets.Get16(in _start, Ipv4Field.Fragment) & Ipv4Field.MoreFragments) != 0;

    /// <summary>Offset in bytes.</summary>
    public int FragmentOffset => (Octets.Get16(in _start, Ipv4Field.Fragment) & Ipv4Field.OffsetMask) * 8;

    public byte HopLimit => Octets.Get8(in _start, Ipv4Field.HopLimit);

    public byte Protocol => Octets.Get8(in _start, Ipv4Field.Protocol);

    public ushort HeaderChecksum => Octets.Get16(in _start, Ipv4Field.Checksum);

    /// <summary>Source address in host order.</summary>
    public uint Source => Octets.Get32(in _start, Ipv4Field.Source);

    /// <summary>Destination address in host order.</summary>
    public uint Destination => Octets.Get32(in _start, Ipv4Field.Destination);

    /// <returns>False: fewer than 20 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv4View view)
    {
        if (bytes.Length < Ipv4Header.Length)
        {
            view = default;
            return false;
        }

        view = new Ipv4View(bytes);
        return true;
    }

    /// <summary>The header without its options.</summary>
    public Ipv4Header ToHeader() => new()
    {
        Source = IpAddress.FromV4(Source),
        Destination = IpAddress.FromV4(Destination),
        Protocol = Protocol,
        HopLimit = HopLimit,
        TrafficClass = TrafficClass,
        Identification = Identification,
        DontFragment = DontFragment,
        PayloadLength = (ushort)(TotalLength - HeaderLength),
    };
}

/// <summary>An IPv4 header without options, of a packet that is not a fragment (RFC 791, 3.1).</summary>
public readonly record struct Ipv4Header
{
    /// <summary>20 bytes.</summary>
    public const int Length = 20;

    /// <summary>With 40 bytes of options.</summary>
    public const int MaxLength = 60;

    public required IpAddress Source { get; init; }

    public required IpAddress Destination { get; init; }

    public required byte Protocol { get; init; }

    public required byte HopLimit { get; init; }

    public byte TrafficClass { get; init; }

    public ushort Identification { get; init; }

    public bool DontFragment { get; init; }

    /// <summary>Bytes after the header, at most 65,515.</summary>
    public required ushort PayloadLength { get; init; }

    /// <summary>Writes the header with its checksum.</summary>
    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        ref var start = ref MemoryMarshal.GetReference(bytes);
        Octets.Put16(ref start, Ipv4Field.VersionAndLength, (ushort)(Ipv4Field.WithoutOptions << 8 | TrafficClass));
        Octets.Put16(ref start, Ipv4Field.TotalLength, (ushort)(Length + PayloadLength));
        Octets.Put16(ref start, Ipv4Field.Identification, Identification);
        Octets.Put16(ref start, Ipv4Field.Fragment, (ushort)(DontFragment ? Ipv4Field.DontFragment : 0));
        Octets.Put16(ref start, Ipv4Field.HopLimit, (ushort)(HopLimit << 8 | Protocol));
        Octets.Put16(ref start, Ipv4Field.Checksum, 0);
        Octets.Put32(ref start, Ipv4Field.Source, Source.V4);
        Octets.Put32(ref start, Ipv4Field.Destination, Destination.V4);
        Octets.Put16(ref start, Ipv4Field.Checksum, Checksum.Finish(Checksum.Sum(bytes)));
    }

    /// <summary>Makes the header of a packet that of one of its fragments, or the other way round, and its checksum right again.</summary>
    /// <param name="header">The whole header, options included.</param>
    /// <param name="totalLength">Bytes of header and payload.</param>
    /// <param name="offset">Where the payload begins in that of the whole packet, in bytes: a multiple of 8.</param>
    /// <param name="hasMore">This is not the last fragment.</param>
    /// <param name="isMarked">The packet has experienced congestion (RFC 3168, 5.3).</param>
    public static void Refit(Span<byte> header, int totalLength, int offset, bool hasMore, bool isMarked = false)
    {
        if (isMarked)
            header[Ipv4Field.TrafficClass] |= EcnField.Experienced;
        ref var start = ref MemoryMarshal.GetReference(header[..Length]);
        Octets.Put16(ref start, Ipv4Field.TotalLength, (ushort)totalLength);
        Octets.Put16(ref start, Ipv4Field.Fragment, (ushort)(offset / 8 | (hasMore ? Ipv4Field.MoreFragments : 0)));
        Octets.Put16(ref start, Ipv4Field.Checksum, 0);
        Octets.Put16(ref start, Ipv4Field.Checksum, Checksum.Finish(Checksum.Sum(header)));
    }

    /// <summary>Gives a header another total length.</summary>
    /// <param name="header">The whole header, with its options.</param>
    public static void Resize(Span<byte> header, int totalLength)
    {
        ref var start = ref MemoryMarshal.GetReference(header[..Length]);
        Octets.Put16(ref start, Ipv4Field.TotalLength, (ushort)totalLength);
        Octets.Put16(ref start, Ipv4Field.Checksum, 0);
        Octets.Put16(ref start, Ipv4Field.Checksum, Checksum.Finish(Checksum.Sum(header)));
    }

    /// <summary>Makes a packet's header that of its later fragments, which have those of its options only that say so (RFC 791, 3.1: the copied flag).</summary>
    /// <param name="header">The whole header; its options are well-formed.</param>
    /// <returns>The length of the new header.</returns>
    public static int KeepCopiedOptions(Span<byte> header)
    {
        const byte End = 0, NoOperation = 1, Copied = 0x80;
        var kept = Length;
        for (var at = Length; at < header.Length && header[at] != End;)
        {
            var length = header[at] == NoOperation ? 1 : at + 1 < header.Length ? Math.Clamp((int)header[at + 1], 1, header.Length - at) : 1;
            if ((header[at] & Copied) != 0)
            {
                header.Slice(at, length).CopyTo(header[kept..]);
                kept += length;
            }

            at += length;
        }

        var whole = (kept + 3) & ~3;
        header[kept..whole].Clear();
        header[Ipv4Field.VersionAndLength] = (byte)(0x40 | whole / 4);
        return whole;
    }
}
