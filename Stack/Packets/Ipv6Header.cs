using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Packets;

/// <summary>Next Header values of IPv6 extension headers (RFC 8200, 4; RFC 4302; RFC 6275; RFC 7401; RFC 5533).</summary>
public static class Ipv6Extension
{
    public const byte HopByHop = 0;
    public const byte Routing = 43;
    public const byte Fragment = 44;
    public const byte Authentication = 51;
    public const byte NoNextHeader = 59;
    public const byte DestinationOptions = 60;
}

/// <summary>A view of an IPv6 header. The lengths in it may be wrong; callers check them.</summary>
public readonly ref struct Ipv6View
{
    private readonly ref readonly byte _start;

    private Ipv6View(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public int Version => Octets.Get8(in _start, Ipv6Field.VersionClassAndFlow) >> 4;

    public byte TrafficClass => (byte)(Octets.Get16(in _start, Ipv6Field.VersionClassAndFlow) >> 4);

    /// <summary>0..0xFFFFF.</summary>
    public uint FlowLabel => Octets.Get32(in _start, Ipv6Field.VersionClassAndFlow) & Ipv6Header.FlowLabelMask;

    public int PayloadLength => Octets.Get16(in _start, Ipv6Field.PayloadLength);

    public byte NextHeader => Octets.Get8(in _start, Ipv6Field.NextHeader);

    public byte HopLimit => Octets.Get8(in _start, Ipv6Field.HopLimit);

    public IpAddress Source => IpAddress.FromHalves(Octets.Get64(in _start, Ipv6Field.Source), Octets.Get64(in _start, Ipv6Field.Source + 8));

    public IpAddress Destination => IpAddress.FromHalves(Octets.Get64(in _start, Ipv6Field.Destination), Octets.Get64(in _start, Ipv6Field.Destination + 8));

    /// <returns>False: fewer than 40 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6View view)
    {
        if (bytes.Length < Ipv6Header.Length)
        {
            view = default;
            return false;
        }

        view = new Ipv6View(bytes);
        return true;
    }

    public Ipv6Header ToHeader() => new()
    {
        Source = Source,
        Destination = Destination,
        NextHeader = NextHeader,
        HopLimit = HopLimit,
        TrafficClass = TrafficClass,
        FlowLabel = FlowLabel,
        PayloadLength = (ushort)PayloadLength,
    };
}

/// <summary>An IPv6 header (RFC 8200, 3).</summary>
public readonly record struct Ipv6Header
{
    /// <summary>40 bytes.</summary>
    public const int Length = 40;

    /// <summary>Every link takes packets of so many bytes (RFC 8200, 5).</summary>
    public const int MinimumMtu = 1280;

    internal const uint FlowLabelMask = 0xF_FFFF;

    public required IpAddress Source { get; init; }

    public required IpAddress Destination { get; init; }

    /// <summary>The protocol of what follows, or an <see cref="Ipv6Extension"/>.</summary>
    public required byte NextHeader { get; init; }

    public required byte HopLimit { get; init; }

    public byte TrafficClass { get; init; }

    /// <summary>0..0xFFFFF (RFC 6437).</summary>
    public uint FlowLabel { get; init; }

    /// <summary>Bytes after the header.</summary>
    public required ushort PayloadLength { get; init; }

    /// <summary>Writes the header.</summary>
    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        ref var start = ref MemoryMarshal.GetReference(bytes);
        Octets.Put32(ref start, Ipv6Field.VersionClassAndFlow, 6u << 28 | (uint)TrafficClass << 20 | FlowLabel);
        Octets.Put16(ref start, Ipv6Field.PayloadLength, PayloadLength);
        Octets.Put16(ref start, Ipv6Field.NextHeader, (ushort)(NextHeader << 8 | HopLimit));
        Source.CopyTo16(bytes[Ipv6Field.Source..]);
        Destination.CopyTo16(bytes[Ipv6Field.Destination..]);
    }
}

/// <summary>An IPv6 fragment header (RFC 8200, 4.5).</summary>
/// <param name="NextHeader">The protocol of the fragmented part.</param>
/// <param name="Offset">Where the payload begins in the fragmented part, in bytes: a multiple of 8.</param>
/// <param name="MoreFragments">This is not the last fragment.</param>
public readonly record struct Ipv6FragmentHeader(byte NextHeader, int Offset, bool MoreFragments, uint Identification)
{
    /// <summary>8 bytes.</summary>
    public const int Length = 8;

    /// <returns>False: fewer than 8 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Ipv6FragmentHeader header)
    {
        header = default;
        if (bytes.Length < Length)
            return false;
        ref readonly var start = ref MemoryMarshal.GetReference(bytes);
        var offset = Octets.Get16(in start, 2);
        header = new Ipv6FragmentHeader(Octets.Get8(in start, 0), offset & ~7, (offset & 1) != 0, Octets.Get32(in start, 4));
        return true;
    }

    /// <summary>Makes the headers of a whole packet those of one of its fragments.</summary>
    /// <param name="headers">The IP header, and the fragment header right behind it.</param>
    /// <param name="count">Bytes of the fragment's payload.</param>
    /// <param name="offset">Where they begin in the payload of the whole packet, in bytes: a multiple of 8.</param>
    /// <param name="hasMore">This is not the last fragment.</param>
    public static void Refit(Span<byte> headers, int count, int offset, bool hasMore)
    {
        ref var start = ref MemoryMarshal.GetReference(headers[..(Ipv6Header.Length + Length)]);
        Octets.Put16(ref start, Ipv6Field.PayloadLength, (ushort)(Length + count));
        Octets.Put16(ref start, Ipv6Header.Length + 2, (ushort)(offset | (hasMore ? 1 : 0)));
    }

    /// <summary>Makes the headers of a first fragment, without its fragment header, those of the whole packet.</summary>
    /// <param name="packet">The whole packet.</param>
    /// <param name="length">Bytes of all of it.</param>
    /// <param name="nextHeaderAt">The offset of the byte that announced the fragment header.</param>
    /// <param name="nextHeader">What that header announced.</param>
    /// <param name="isMarked">The packet has experienced congestion (RFC 3168, 5.3).</param>
    public static void Undo(Span<byte> packet, int length, int nextHeaderAt, byte nextHeader, bool isMarked)
    {
        packet[nextHeaderAt] = nextHeader;
        ref var start = ref MemoryMarshal.GetReference(packet[..Ipv6Header.Length]);
        Octets.Put16(ref start, Ipv6Field.PayloadLength, (ushort)(length - Ipv6Header.Length));
        if (isMarked)
            packet[Ipv6Field.VersionClassAndFlow + 1] |= EcnField.Experienced << 4;
    }

    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes[..Length]);
        Octets.Put16(ref start, 0, (ushort)(NextHeader << 8));
        Octets.Put16(ref start, 2, (ushort)(Offset | (MoreFragments ? 1 : 0)));
        Octets.Put32(ref start, 4, Identification);
    }
}
