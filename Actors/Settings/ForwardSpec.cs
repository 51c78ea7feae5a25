using System.Diagnostics.CodeAnalysis;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>The transport of a forwarded port.</summary>
public enum Transport
{
    Tcp,
    Udp,
}

/// <summary>A port of the host that leads into Tapwire's network, as in "tcp:127.0.0.1:8080=10.99.0.1:80".</summary>
/// <param name="Listen">An address of the host; loopback where only a port is given.</param>
/// <param name="Target">An address or a name in Tapwire's network.</param>
public sealed record ForwardSpec(Transport Transport, IpEndpoint Listen, Destination Target)
{
    /// <summary>The target is told of the client by the PROXY protocol, as in "tcp+proxy:8080=10.99.0.1:80".</summary>
    public bool SendsProxyHeader { get; init; }

    public const string Accepted = "TRANSPORT:ADDRESS:PORT=HOST:PORT, as in tcp:127.0.0.1:8080=10.99.0.1:80";

    /// <param name="problem">If false is returned: the offending part, and what it must be.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out ForwardSpec? spec, [NotNullWhen(false)] out string? problem)
    {
        spec = null;
        if (!PortText.TrySplit(PortText.WithoutProxy(text, out var sendsProxyHeader), out var transport, out var left, out var right, out problem)
            || !PortText.TryParseListen(left, IpAddress.FromV4(0x7F00_0001), out var listen, out problem)
            || !TryParseTarget(right, out var target, out problem))
            return false;
        spec = new ForwardSpec(transport, listen, target) { SendsProxyHeader = sendsProxyHeader };
        return true;
    }

    /// <summary>A destination, of which a link-local address may have a zone: [fe80::1%tw0]:80.</summary>
    private static bool TryParseTarget(string text, out Destination target, [NotNullWhen(false)] out string? problem)
    {
        var percent = text.IndexOf('%', StringComparison.Ordinal);
        var end = text.LastIndexOf("]:", StringComparison.Ordinal);
        if (percent < 0 || end < percent || text[0] != '[')
            return Destination.TryParse(text, out target, out problem);
        target = default;
        if (!ZonedAddress.TryParse(text[1..end], out var address))
        {
            problem = $"the host \"{text[1..end]}\" must be a link-local address with an interface's name, as in fe80::1%tw0";
            return false;
        }

        if (!Destination.TryParsePort(text[(end + 2)..], out var port, out problem))
            return false;
        target = new Destination(address.Address, null, port) { Zone = address.Zone };
        return true;
    }

    public override string ToString() => $"{PortText.Name(Transport, SendsProxyHeader)}:{Listen}={Target}";
}

/// <summary>A port of Tapwire's stack that leads to a service of the host, as in "tcp:80=127.0.0.1:8080".</summary>
/// <param name="Listen">An address of the stack; the wildcard where only a port is given.</param>
/// <param name="Target">An address or a name that the host knows.</param>
public sealed record ExposeSpec(Transport Transport, IpEndpoint Listen, Destination Target)
{
    /// <summary>The service is told of the client by the PROXY protocol, as in "tcp+proxy:80=127.0.0.1:8080".</summary>
    public bool SendsProxyHeader { get; init; }

    public const string Accepted = "TRANSPORT:PORT=HOST:PORT, as in tcp:80=127.0.0.1:8080";

    /// <param name="problem">If false is returned: the offending part, and what it must be.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out ExposeSpec? spec, [NotNullWhen(false)] out string? problem)
    {
        spec = null;
        if (!PortText.TrySplit(PortText.WithoutProxy(text, out var sendsProxyHeader), out var transport, out var left, out var right, out problem)
            || !PortText.TryParseListen(left, IpAddress.Unspecified, out var listen, out problem)
            || !Destination.TryParse(right, out var target, out problem))
            return false;
        spec = new ExposeSpec(transport, listen, target) { SendsProxyHeader = sendsProxyHeader };
        return true;
    }

    public override string ToString() =>
        $"{PortText.Name(Transport, SendsProxyHeader)}:{(Listen.Address.IsUnspecified ? $"{Listen.Port}" : $"{Listen}")}={Target}";
}

/// <summary>A port of Tapwire's stack that leads to a port of a guest's, as in "tcp:8080=80"; the same one where only one is given.</summary>
/// <param name="Listen">An address of the stack; the wildcard where only a port is given.</param>
public sealed record PublishSpec(Transport Transport, IpEndpoint Listen, ushort Port)
{
    public const string Accepted = "TRANSPORT:PORT=PORT, as in tcp:8080=80";

    /// <param name="problem">If false is returned: the offending part, and what it must be.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out PublishSpec? spec, [NotNullWhen(false)] out string? problem)
    {
        spec = null;
        var whole = text.Contains('=', StringComparison.Ordinal) ? text : $"{text}={text[(text.LastIndexOf(':') + 1)..]}";
        if (!PortText.TrySplit(whole, out var transport, out var left, out var right, out problem)
            || !PortText.TryParseListen(left, IpAddress.Unspecified, out var listen, out problem)
            || !Destination.TryParsePort(right, out var port, out problem))
            return false;
        spec = new PublishSpec(transport, listen, port);
        return true;
    }

    public override string ToString() =>
        Listen.Address.IsUnspecified ? $"{PortText.Name(Transport)}:{Listen.Port}={Port}" : $"{PortText.Name(Transport)}:{Listen}={Port}";
}

/// <summary>The endpoint on which the SOCKS proxy listens, as in "127.0.0.1:1080".</summary>
public sealed record SocksSpec(IpEndpoint Listen)
{
    public const string Accepted = "ADDRESS:PORT, as in 127.0.0.1:1080";

    /// <param name="problem">If false is returned: the offending part, and what it must be.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out SocksSpec? spec, [NotNullWhen(false)] out string? problem)
    {
        spec = PortText.TryParseListen(text, IpAddress.FromV4(0x7F00_0001), out var listen, out problem) ? new SocksSpec(listen) : null;
        return spec is not null;
    }

    public override string ToString() => Listen.ToString();
}

/// <summary>Parsing common to these specs.</summary>
internal static class PortText
{
    public static string Name(Transport transport, bool sendsProxyHeader = false) => transport != Transport.Tcp ? "udp" : sendsProxyHeader ? "tcp+proxy" : "tcp";

    /// <summary>The same without the word for the PROXY protocol, which only TCP has.</summary>
    public static string WithoutProxy(string text, out bool sendsProxyHeader)
    {
        const string Word = "tcp+proxy:";
        sendsProxyHeader = text.StartsWith(Word, StringComparison.Ordinal);
        return sendsProxyHeader ? $"tcp:{text[Word.Length..]}" : text;
    }

    public static bool TrySplit(string text, out Transport transport, out string left, out string right, [NotNullWhen(false)] out string? problem)
    {
        transport = text.StartsWith("udp:", StringComparison.Ordinal) ? Transport.Udp : Transport.Tcp;
        (left, right) = ("", "");
        if (transport == Transport.Tcp && !text.StartsWith("tcp:", StringComparison.Ordinal))
        {
            problem = $"the transport \"{text.Split(':')[0]}\" must be tcp or udp";
            return false;
        }

        var sides = text["tcp:".Length..].Split('=');
        if (sides.Length != 2)
        {
            problem = $"\"{text["tcp:".Length..]}\" must have one \"=\" between where to listen and where to";
            return false;
        }

        (left, right) = (sides[0], sides[1]);
        problem = null;
        return true;
    }

    /// <summary>PORT, ADDRESS:PORT or [ADDRESS]:PORT.</summary>
    public static bool TryParseListen(string text, IpAddress otherwise, out IpEndpoint listen, [NotNullWhen(false)] out string? problem)
    {
        listen = default;
        if (!text.Contains(':', StringComparison.Ordinal))
        {
            if (!Destination.TryParsePort(text, out var port, out problem))
                return false;
            listen = new IpEndpoint(otherwise, port);
            return true;
        }

        if (!Destination.TryParse(text, out var destination, out problem))
            return false;
        if (destination.Name is { } name)
        {
            problem = $"the address \"{name}\" to listen on must be an IP address";
            return false;
        }

        listen = new IpEndpoint(destination.Address, destination.Port);
        return true;
    }
}
