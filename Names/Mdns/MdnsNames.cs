using System.Diagnostics.CodeAnalysis;

namespace Tapwire.Names.Mdns;

/// <summary>The names that a link is asked for, and no server (RFC 6762, 3 and 4).</summary>
public static class MdnsNames
{
    internal static readonly DnsName Local = Of("local");

    /// <summary>All kinds of services on the link (RFC 6763, 9).</summary>
    public static readonly DnsName AllServices = Of("_services._dns-sd._udp.local");

    /// <summary>The longest name of a service (RFC 6335, 5.1).</summary>
    private const int MaxServiceName = 15;

    /// <summary>Reverse names of 169.254.0.0/16 and of fe80::/10.</summary>
    private static readonly DnsName[] LinkLocal = [Of("254.169.in-addr.arpa"), Of("8.e.f.ip6.arpa"), Of("9.e.f.ip6.arpa"), Of("a.e.f.ip6.arpa"), Of("b.e.f.ip6.arpa")];

    public static bool IsOfLink(DnsName name) => name.IsIn(Local) || Array.Exists(LinkLocal, name.IsIn);

    /// <summary>The name of a type of services, as "_http._tcp" or "http" (RFC 6763, 7): a name of up to 15 letters, digits and '-', over TCP unless it is said.</summary>
    public static bool TryParseServiceType(string text, [NotNullWhen(true)] out DnsName? name)
    {
        name = null;
        var parts = text.Split('.');
        var (service, transport) = parts switch
        {
            [var alone] => (alone, "_tcp"),
            [var first, "_tcp" or "_udp"] => (first, parts[1]),
            [var first, "_tcp" or "_udp", "local"] => (first, parts[1]),
            _ => ("", ""),
        };
        service = service.StartsWith('_') ? service[1..] : service;
        if (service.Length is 0 or > MaxServiceName || !service.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            return false;
        name = Of($"_{service}.{transport}.local");
        return true;
    }

    internal static DnsName Of(string text) => DnsName.TryParse(text, out var name) ? name : throw new ArgumentException($"{text} is no name.", nameof(text));
}
