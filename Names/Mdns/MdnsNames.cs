namespace Tapwire.Names.Mdns;

/// <summary>The names that a link is asked for, and no server (RFC 6762, 3 and 4).</summary>
public static class MdnsNames
{
    internal static readonly DnsName Local = Of("local");

    /// <summary>All kinds of services on the link (RFC 6763, 9).</summary>
    internal static readonly DnsName AllServices = Of("_services._dns-sd._udp.local");

    /// <summary>Reverse names of 169.254.0.0/16 and of fe80::/10.</summary>
    private static readonly DnsName[] LinkLocal = [Of("254.169.in-addr.arpa"), Of("8.e.f.ip6.arpa"), Of("9.e.f.ip6.arpa"), Of("a.e.f.ip6.arpa"), Of("b.e.f.ip6.arpa")];

    public static bool IsOfLink(DnsName name) => name.IsIn(Local) || Array.Exists(LinkLocal, name.IsIn);

    internal static DnsName Of(string text) => DnsName.TryParse(text, out var name) ? name : throw new ArgumentException($"{text} is no name.", nameof(text));
}
