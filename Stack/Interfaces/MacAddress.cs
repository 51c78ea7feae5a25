using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Interfaces;

/// <summary>A 48-bit Ethernet address.</summary>
public readonly record struct MacAddress : ISpanParsable<MacAddress>
{
    public static readonly MacAddress Broadcast = new(0xFFFF_FFFF_FFFF);

    /// <param name="value">The address as a number: 02:00:00:00:00:01 is 0x020000000001.</param>
    public MacAddress(ulong value) => Value = value & 0xFFFF_FFFF_FFFF;

    public ulong Value { get; }

    /// <summary>The I/G bit is set: a multicast address, or the broadcast address.</summary>
    public bool IsGroup => (Value >> 40 & 1) != 0;

    /// <summary>The address of the stations in a multicast group (RFC 1112, 6.4; RFC 2464, 7).</summary>
    public static MacAddress OfGroup(IpAddress group) => group.IsV4
        ? new MacAddress(0x0100_5E00_0000UL | (group.V4 & 0x7F_FFFF))
        : new MacAddress(0x3333_0000_0000UL | (uint)group.Halves.Low);

    /// <param name="bytes">At least 6 bytes in network order.</param>
    public static MacAddress FromBytes(ReadOnlySpan<byte> bytes) => new(
        (ulong)bytes[0] << 40 | (ulong)bytes[1] << 32 | (ulong)bytes[2] << 24 | (ulong)bytes[3] << 16 | (ulong)bytes[4] << 8 | bytes[5]);

    /// <summary>The link-local address with the modified EUI-64 of this one as its interface identifier (RFC 4291, 2.5.6 and appendix A).</summary>
    public IpAddress LinkLocal => IpAddress.FromHalves(0xFE80_0000_0000_0000, ((Value >> 24) << 40 | 0xFF_FE00_0000 | (Value & 0xFF_FFFF)) ^ 0x0200_0000_0000_0000);

    /// <summary>Writes 6 bytes in network order.</summary>
    public void CopyTo(Span<byte> destination)
    {
        destination[5] = (byte)Value;
        destination[4] = (byte)(Value >> 8);
        destination[3] = (byte)(Value >> 16);
        destination[2] = (byte)(Value >> 24);
        destination[1] = (byte)(Value >> 32);
        destination[0] = (byte)(Value >> 40);
    }

    public static MacAddress Parse(string s, IFormatProvider? provider = null) => Parse(s.AsSpan(), provider);

    public static MacAddress Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out var mac) ? mac : throw new FormatException($"'{s}' is not a MAC address, as in 02:00:5e:10:00:01.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out MacAddress result) =>
        TryParse(s.AsSpan(), provider, out result);

    /// <summary>Accepts six two-digit hexadecimal groups with colons or with dashes.</summary>
    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out MacAddress result)
    {
        result = default;
        if (s.Length != 17)
            return false;
        ulong value = 0;
        for (var i = 0; i < 6; i++)
        {
            if ((i < 5 && s[i * 3 + 2] is not (':' or '-'))
                || !byte.TryParse(s.Slice(i * 3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var octet))
                return false;
            value = value << 8 | octet;
        }

        result = new MacAddress(value);
        return true;
    }

    public override string ToString() => string.Create(17, Value, static (span, value) =>
    {
        for (var i = 0; i < 6; i++)
        {
            ((byte)(value >> (40 - 8 * i))).TryFormat(span[(i * 3)..], out _, "x2", CultureInfo.InvariantCulture);
            if (i < 5)
                span[i * 3 + 2] = ':';
        }
    });
}
