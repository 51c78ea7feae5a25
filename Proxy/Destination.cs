using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Proxy;

/// <summary>The destination of a connection or a datagram: a port at an address, or at a host by its name.</summary>
/// <param name="Name">Null where <paramref name="Address"/> is given.</param>
public readonly record struct Destination(IpAddress Address, string? Name, ushort Port)
{
    /// <summary>The zone of a link-local address (RFC 4007, 11); null: none is said.</summary>
    public string? Zone { get; init; }

    /// <summary>Longest name: what a SOCKS address and a domain name can hold.</summary>
    public const int MaxName = 255;

    public Destination(IpEndpoint endpoint)
        : this(endpoint.Address, null, endpoint.Port)
    {
    }

    /// <summary>Makes a destination from a host as a client writes it: a name, or an address.</summary>
    /// <returns>False: the text is neither.</returns>
    public static bool TryCreate(ReadOnlySpan<char> host, ushort port, out Destination destination)
    {
        if (IpAddress.TryParse(host, null, out var address))
        {
            destination = new Destination(address, null, port);
            return true;
        }

        destination = new Destination(default, host.ToString(), port);
        return IsName(host);
    }

    /// <summary>Reads HOST:PORT, or [ADDRESS]:PORT for IPv6.</summary>
    /// <param name="problem">With false: the offending part, and what it must be.</param>
    public static bool TryParse(string text, out Destination destination, [NotNullWhen(false)] out string? problem)
    {
        destination = default;
        var colon = text.LastIndexOf(':');
        if (colon < 0)
        {
            problem = $"\"{text}\" must be HOST:PORT";
            return false;
        }

        if (!TryParsePort(text[(colon + 1)..], out var port, out problem))
            return false;
        var host = text.AsSpan(0, colon);
        var bracketed = host is ['[', .., ']'];
        if (bracketed)
            host = host[1..^1];
        if (host.Contains(':') == bracketed && TryCreate(host, port, out destination) && (!bracketed || destination.Name is null))
            return true;
        problem = host.Contains(':') && !bracketed
            ? $"the host \"{host}\" must be in brackets if it is an IPv6 address, as in [::1]:80"
            : $"the host \"{host}\" must be a name or an address";
        return false;
    }

    /// <param name="problem">With false: the offending part, and what it must be.</param>
    public static bool TryParsePort(string text, out ushort port, [NotNullWhen(false)] out string? problem)
    {
        var good = ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port > 0;
        problem = good ? null : $"the port \"{text}\" must be from 1 to 65535";
        return good;
    }

    public override string ToString() => Name is null ? Zone is null ? new IpEndpoint(Address, Port).ToString() : $"[{Address}%{Zone}]:{Port}" : $"{Name}:{Port}";

    /// <summary>Accepts letters of any script, digits and the punctuation of names. Whether there is such a host is for the resolver to say.</summary>
    private static bool IsName(ReadOnlySpan<char> host)
    {
        if (host.IsEmpty || host.Length > MaxName || Encoding.UTF8.GetByteCount(host) > MaxName)
            return false;
        foreach (var c in host)
        {
            if (!char.IsLetterOrDigit(c) && c is not ('.' or '-' or '_'))
                return false;
        }

        // Digits and dots alone are a malformed address, such as 10.1 or 256.0.0.1.
        return host.ContainsAnyExcept("0123456789.");
    }
}
