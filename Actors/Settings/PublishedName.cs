using System.Diagnostics.CodeAnalysis;
using Tapwire.Names;
using Tapwire.Names.Mdns;

namespace Tapwire.Actors.Settings;

/// <summary>The setting <c>tapwire.name</c>, and what is published under it.</summary>
public static class PublishedName
{
    public const string Accepted = "a host's name without dots, of letters, digits and '-', up to 63";

    /// <summary>Exposed ports whose services are known by their numbers (IANA's registry, and what is usual besides).</summary>
    private static readonly Dictionary<(Transport, ushort), string> WellKnown = new()
    {
        [(Transport.Tcp, 21)] = "ftp",
        [(Transport.Tcp, 22)] = "ssh",
        [(Transport.Tcp, 80)] = "http",
        [(Transport.Tcp, 443)] = "https",
        [(Transport.Tcp, 445)] = "smb",
        [(Transport.Tcp, 631)] = "ipp",
        [(Transport.Tcp, 1883)] = "mqtt",
        [(Transport.Tcp, 2049)] = "nfs",
        [(Transport.Tcp, 5900)] = "rfb",
        [(Transport.Tcp, 8080)] = "http",
        [(Transport.Tcp, 8443)] = "https",
        [(Transport.Udp, 69)] = "tftp",
        [(Transport.Udp, 123)] = "ntp",
    };

    /// <param name="problem">With false: empty, because the text is no such name.</param>
    public static bool TryParse(string text, out string name, [NotNullWhen(false)] out string? problem)
    {
        name = text;
        var isLabel = text.Length is > 0 and <= DnsName.MaxLabel && text.All(static c => char.IsAsciiLetterOrDigit(c) || c == '-') && text[0] != '-' && text[^1] != '-';
        problem = isLabel ? null : "";
        return isLabel;
    }

    /// <summary>What multicast DNS publishes; null: nothing. Services without a registered name, and ports of single addresses, are left out.</summary>
    public static MdnsIdentity? Of(DriverSettings settings)
    {
        if (settings.Name.Length == 0 || settings.Dns.Mdns != MdnsMode.On)
            return null;
        var served = settings.Serve.Where(static service => service.Name != "source").Select(static service => new MdnsService(service.Name, IsTcp: true, service.Port));
        var exposed = settings.Expose.Where(static port => port.Listen.Address.IsUnspecified && WellKnown.ContainsKey((port.Transport, port.Listen.Port)))
            .Select(static port => new MdnsService(WellKnown[(port.Transport, port.Listen.Port)], port.Transport == Transport.Tcp, port.Listen.Port));
        return new MdnsIdentity(settings.Name, [.. served.Concat(exposed).Distinct()]);
    }
}
