using System.Diagnostics.CodeAnalysis;

namespace Tapwire.Stack.Ip;

/// <summary>An address as users write it: a link-local one may have a zone (RFC 4007, 11), as in fe80::1%tw0.</summary>
/// <param name="Zone">The name of an interface, or its number as programs see it; null: none is said.</param>
public sealed record ZonedAddress(IpAddress Address, string? Zone)
{
    /// <summary>Bytes of an interface's name.</summary>
    private const int MaxZone = 15;

    public static bool TryParse(string text, [NotNullWhen(true)] out ZonedAddress? address)
    {
        address = null;
        var percent = text.IndexOf('%', StringComparison.Ordinal);
        if (!IpAddress.TryParse(percent < 0 ? text : text[..percent], out var parsed))
            return false;
        var zone = percent < 0 ? null : text[(percent + 1)..];
        // Only a link-local address needs to be told whose it is.
        if (zone is not null && (!parsed.IsLinkLocal || zone.Length is 0 or > MaxZone || zone.Any(static c => c <= ' ' || c is '%' or '/' or ':' or ']')))
            return false;
        address = new ZonedAddress(parsed, zone);
        return true;
    }

    public override string ToString() => Zone is null ? Address.ToString() : $"{Address}%{Zone}";
}
