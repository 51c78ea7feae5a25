using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Tapwire.Stack.Ip;

/// <summary>An address with a prefix length, as in 10.99.0.2/24: an interface's address, or a route's destination.</summary>
public readonly record struct IpPrefix : ISpanParsable<IpPrefix>
{
    /// <param name="length">0..32 for IPv4, 0..128 for IPv6.</param>
    /// <exception cref="ArgumentOutOfRangeException">A length outside that range.</exception>
    public IpPrefix(IpAddress address, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, address.Length * 8);
        Address = address;
        Length = length;
    }

    /// <summary>The address as given, host bits included.</summary>
    public IpAddress Address { get; }

    public int Length { get; }

    /// <summary>The first address: all host bits zero.</summary>
    public IpAddress Network => Address.Masked(Length);

    /// <summary>The directed broadcast address (all host bits one); none for IPv6 and for prefixes of 31 and 32 bits (RFC 3021).</summary>
    public IpAddress? Broadcast => Address.IsV4 && Length < 31 ? IpAddress.FromV4(Address.V4 | (uint)(0xFFFF_FFFFUL >> Length)) : null;

    public bool Contains(IpAddress address) => address.IsV4 == Address.IsV4 && address.Masked(Length) == Network;

    public static IpPrefix Parse(string s) => Parse(s.AsSpan(), null);

    public static IpPrefix Parse(string s, IFormatProvider? provider) => Parse(s.AsSpan(), provider);

    public static IpPrefix Parse(ReadOnlySpan<char> s, IFormatProvider? provider) =>
        TryParse(s, provider, out var prefix) ? prefix : throw new FormatException($"'{s}' is not ADDRESS/LENGTH, as in 10.99.0.2/24.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out IpPrefix result) =>
        TryParse(s.AsSpan(), provider, out result);

    public static bool TryParse(ReadOnlySpan<char> s, IFormatProvider? provider, out IpPrefix result)
    {
        result = default;
        var slash = s.IndexOf('/');
        if (slash < 0 || !IpAddress.TryParse(s[..slash], provider, out var address)
            || !int.TryParse(s[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var length)
            || length > address.Length * 8)
            return false;
        result = new IpPrefix(address, length);
        return true;
    }

    public override string ToString() => $"{Address}/{Length}";
}
