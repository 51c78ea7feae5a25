using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;

namespace Tapwire.Stack.Ip;

/// <summary>
/// An IPv4 or IPv6 address in 16 bytes. An IPv4 address is kept in its IPv4-mapped form (RFC 4291, 2.5.5.2), so that one value, one table key and
/// one comparison serve both families; a mapped address is an IPv4 address by definition.
/// </summary>
public readonly struct IpAddress : IEquatable<IpAddress>, IComparable<IpAddress>, ISpanParsable<IpAddress>
{
    private const ulong MappedPrefix = 0x0000_FFFF_0000_0000;

    /// <summary>The upper half of ff02::/64.</summary>
    private const ulong LinkScopeGroup = 0xFF02_0000_0000_0000;

    /// <summary>The lower half of ff02::1:ff00:0/104.</summary>
    private const ulong SolicitedNodePrefix = 0x0000_0001_FF00_0000;

    private readonly ulong _high;
    private readonly ulong _low;

    private IpAddress(ulong high, ulong low)
    {
        _high = high;
        _low = low;
    }

    /// <summary>::, which is also <c>default</c>: no address of either family.</summary>
    public static readonly IpAddress Unspecified;

    /// <summary>0.0.0.0.</summary>
    public static readonly IpAddress AnyV4 = FromV4(0);

    /// <summary>127.0.0.1.</summary>
    public static readonly IpAddress LoopbackV4 = FromV4(0x7F00_0001);

    /// <summary>::1.</summary>
    public static readonly IpAddress LoopbackV6 = new(0, 1);

    /// <summary>ff02::1, all nodes of a link (RFC 4291, 2.7.1).</summary>
    public static readonly IpAddress AllNodes = new(LinkScopeGroup, 1);

    /// <summary>ff02::2, all routers of a link.</summary>
    public static readonly IpAddress AllRouters = new(LinkScopeGroup, 2);

    /// <summary>255.255.255.255.</summary>
    public static readonly IpAddress BroadcastV4 = FromV4(uint.MaxValue);

    public bool IsV4 => _high == 0 && (_low & 0xFFFF_FFFF_0000_0000) == MappedPrefix;

    public bool IsV6 => !IsV4;

    /// <summary>The IPv4 address as a number in host order. Meaningful for IPv4 only.</summary>
    public uint V4 => (uint)_low;

    /// <summary>0.0.0.0 or ::.</summary>
    public bool IsUnspecified => _high == 0 && (_low == 0 || _low == MappedPrefix);

    /// <summary>224.0.0.0/4 or ff00::/8.</summary>
    public bool IsMulticast => IsV4 ? V4 >> 28 == 0xE : _high >> 56 == 0xFF;

    /// <summary>255.255.255.255. The broadcast address of a subnet can be recognised only with its prefix.</summary>
    public bool IsLimitedBroadcast => this == BroadcastV4;

    /// <summary>127.0.0.0/8 or ::1.</summary>
    public bool IsLoopback => IsV4 ? V4 >> 24 == 127 : _high == 0 && _low == 1;

    /// <summary>fe80::/10: means something on one link only (RFC 4291, 2.5.6).</summary>
    public bool IsLinkLocal => _high >> 54 == 0x3FA;

    /// <summary>The loopback address of this one's family.</summary>
    public IpAddress LoopbackOfFamily => IsV4 ? LoopbackV4 : LoopbackV6;

    /// <summary>The group in which every host with this IPv6 address is asked for it (RFC 4291, 2.7.1).</summary>
    public IpAddress SolicitedNode => new(LinkScopeGroup, SolicitedNodePrefix | (_low & 0xFF_FFFF));

    /// <summary>4 or 16.</summary>
    public int Length => IsV4 ? 4 : 16;

    /// <summary>An IPv4 address from a number in host order: 10.0.0.1 is 0x0A000001.</summary>
    public static IpAddress FromV4(uint address) => new(0, MappedPrefix | address);

    /// <summary>An address from its two halves, as in <see cref="Halves"/>.</summary>
    public static IpAddress FromHalves(ulong high, ulong low) => new(high, low);

    /// <summary>An address from 4 or 16 bytes in network order.</summary>
    /// <exception cref="ArgumentException">Any other length.</exception>
    public static IpAddress FromBytes(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        4 => FromV4(BinaryPrimitives.ReadUInt32BigEndian(bytes)),
        16 => new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..])),
        _ => throw new ArgumentException($"An IP address has 4 or 16 bytes, not {bytes.Length}.", nameof(bytes)),
    };

    /// <summary>Writes <see cref="Length"/> bytes in network order.</summary>
    public void CopyTo(Span<byte> destination)
    {
        if (IsV4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, V4);
        }
        else
        {
            CopyTo16(destination);
        }
    }

    /// <summary>Writes 16 bytes in network order, an IPv4 address in its mapped form.</summary>
    public void CopyTo16(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
    }

    /// <summary>The two halves as numbers, for keyed hashing.</summary>
    public (ulong High, ulong Low) Halves => (_high, _low);

    /// <summary>The address with all bits after the first <paramref name="prefixLength"/> (0..32 or 0..128) cleared.</summary>
    public IpAddress Masked(int prefixLength)
    {
        if (IsV4)
            return FromV4(prefixLength == 0 ? 0 : V4 & (uint.MaxValue << (32 - prefixLength)));

        return prefixLength switch
        {
            0 => default,
            <= 64 => new(_high & (ulong.MaxValue << (64 - prefixLength)), 0),
            _ => new(_high, _low & (ulong.MaxValue << (128 - prefixLength))),
        };
    }

    public static IpAddress FromSystem(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out var written);
        return FromBytes(bytes[..written]);
    }

    public IPAddress ToSystem()
    {
        Span<byte> bytes = stackalloc byte[16];
        CopyTo(bytes);
        return new IPAddress(bytes[..Length]);
    }

    public static IpAddress Parse(string s) => Parse(s.AsSpan(), null);

    public static IpAddress Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    public static IpAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out var address) ? address : throw new FormatException($"'{s}' is not an IPv4 or IPv6 address.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpAddress result) =>
        TryParse(s.AsSpan(), provider, out result);

    public static bool TryParse([NotNullWhen(true)] string? s, out IpAddress result) => TryParse(s.AsSpan(), null, out result);

    /// <summary>Accepts dotted IPv4 with four parts and IPv6 without a zone; nothing else (no "10.1", no octal).</summary>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpAddress result)
    {
        result = default;
        if (s.Contains(':'))
        {
            if (s.Contains('%') || s.Contains('[') || !IPAddress.TryParse(s, out var v6))
                return false;
            result = FromSystem(v6);
            return true;
        }

        uint value = 0;
        var parts = 0;
        foreach (var range in s.Split('.'))
        {
            var part = s[range];
            if (++parts > 4 || part.Length is 0 or > 3 || (part.Length > 1 && part[0] == '0')
                || !byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var octet))
                return false;
            value = (value << 8) | octet;
        }

        result = FromV4(value);
        return parts == 4;
    }

    public bool Equals(IpAddress other) => _low == other._low && _high == other._high;

    public override bool Equals([NotNullWhen(true)] object? obj) => obj is IpAddress other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(_high, _low);

    public int CompareTo(IpAddress other) => _high != other._high ? _high.CompareTo(other._high) : _low.CompareTo(other._low);

    public static bool operator ==(IpAddress left, IpAddress right) => left.Equals(right);

    public static bool operator !=(IpAddress left, IpAddress right) => !left.Equals(right);

    public static bool operator <(IpAddress left, IpAddress right) => left.CompareTo(right) < 0;

    public static bool operator >(IpAddress left, IpAddress right) => left.CompareTo(right) > 0;

    public static bool operator <=(IpAddress left, IpAddress right) => left.CompareTo(right) <= 0;

    public static bool operator >=(IpAddress left, IpAddress right) => left.CompareTo(right) >= 0;

    public override string ToString() => ToSystem().ToString();
}
