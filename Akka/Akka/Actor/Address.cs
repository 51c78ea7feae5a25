using System.Globalization;

namespace Akka.Actor;

/// <summary>Where an actor system lives: protocol, system name and, for a remote one, host and port.</summary>
public sealed class Address : IEquatable<Address>, IComparable<Address>, IComparable, ICloneable
{
    /// <summary>Stands for all systems.</summary>
    public static readonly Address AllSystems = new("akka", "all-systems");

    /// <summary>Orders by protocol, system, host and port.</summary>
    public static readonly IComparer<Address> Comparer = Comparer<Address>.Create(Compare);

    public Address(string protocol, string system, string host = null, int? port = null)
    {
        Protocol = protocol;
        System = system;
        Host = host?.ToLowerInvariant();
        Port = port;
    }

    public string Protocol { get; }

    public string System { get; }

    public string Host { get; }

    public int? Port { get; }

    public bool HasLocalScope => string.IsNullOrEmpty(Host);

    public bool HasGlobalScope => !HasLocalScope;

    public Address WithProtocol(string protocol) => new(protocol, System, Host, Port);

    public Address WithSystem(string system) => new(Protocol, system, Host, Port);

    public Address WithHost(string host = null) => new(Protocol, System, host, Port);

    public Address WithPort(int? port = null) => new(Protocol, System, Host, port);

    /// <summary>The address without its protocol: <c>system@host:port</c>.</summary>
    public string HostPort() => ToString()[(Protocol.Length + 3)..];

    public override string ToString()
    {
        var text = $"{Protocol}://{System}";
        if (HasGlobalScope)
            text += $"@{Host}";
        if (Port.HasValue)
            text += string.Create(CultureInfo.InvariantCulture, $":{Port.Value}");
        return text;
    }

    public object Clone() => new Address(Protocol, System, Host, Port);

    public bool Equals(Address other) =>
        other is not null && (ReferenceEquals(this, other)
            || (Port == other.Port && System == other.System && Protocol == other.Protocol && Host == other.Host));

    public override bool Equals(object obj) => Equals(obj as Address);

    public override int GetHashCode() => HashCode.Combine(Protocol, System, Host, Port);

    public int CompareTo(Address other) => Compare(this, other);

    int IComparable.CompareTo(object obj) => obj is Address other
        ? CompareTo(other)
        : throw new ArgumentException("Cannot compare an address with something else.", nameof(obj));

    /// <exception cref="UriFormatException">The text is no address.</exception>
    public static Address Parse(string address) =>
        TryParse(address, out Address result) ? result : throw new UriFormatException($"Can't parse an actor address: [{address}]");

    public static bool TryParse(string path, out Address address) => TryParse(path, out address, out _);

    public static bool TryParse(string path, out Address address, out string absolutUri)
    {
        var found = TryParse(path.AsSpan(), out address, out var rest);
        absolutUri = found ? rest.ToString() : null;
        return found;
    }

    public static bool TryParse(ReadOnlySpan<char> span, out Address address) => TryParse(span, out address, out _);

    /// <summary>Splits a path's text into its address and what follows, which begins with a slash.</summary>
    public static bool TryParse(ReadOnlySpan<char> span, out Address address, out ReadOnlySpan<char> absolutUri)
    {
        address = null;
        absolutUri = default;
        var scheme = span.IndexOf("://", StringComparison.Ordinal);
        if (scheme <= 0)
            return false;
        var protocol = span[..scheme];
        var rest = span[(scheme + 3)..];
        var slash = rest.IndexOf('/');
        var authority = slash < 0 ? rest : rest[..slash];
        absolutUri = slash < 0 ? "/" : rest[slash..];

        var at = authority.IndexOf('@');
        if (at < 0)
        {
            if (authority.IsEmpty || authority.Contains(':'))
                return false;
            address = new Address(protocol.ToString(), authority.ToString());
            return true;
        }

        var host = authority[(at + 1)..];
        int? port = null;
        var colon = host.LastIndexOf(':');
        if (colon >= 0 && host.LastIndexOf(']') < colon)
        {
            if (!int.TryParse(host[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > 65535)
                return false;
            port = number;
            host = host[..colon];
        }

        if (at == 0 || host.IsEmpty)
            return false;
        address = new Address(protocol.ToString(), authority[..at].ToString(), host.ToString(), port);
        return true;
    }

    public static bool operator ==(Address left, Address right) => Equals(left, right);

    public static bool operator !=(Address left, Address right) => !Equals(left, right);

    private static int Compare(Address x, Address y)
    {
        if (ReferenceEquals(x, y))
            return 0;
        if (x is null)
            return -1;
        if (y is null)
            return 1;
        var result = string.CompareOrdinal(x.Protocol, y.Protocol);
        if (result == 0)
            result = string.CompareOrdinal(x.System, y.System);
        if (result == 0)
            result = string.CompareOrdinal(x.Host ?? "", y.Host ?? "");
        return result != 0 ? result : (x.Port ?? 0).CompareTo(y.Port ?? 0);
    }
}
