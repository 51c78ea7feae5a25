using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Forwarding;

/// <summary>The addresses of one host: an IPv4 address, an IPv6 address, or one of each. Its default value has none.</summary>
public readonly record struct GuestAddresses
{
    /// <summary>A host of one family.</summary>
    public GuestAddresses(IpAddress only)
    {
        V4 = only.IsV4 ? only : null;
        V6 = only.IsV4 ? null : only;
    }

    /// <summary>A host of both families.</summary>
    /// <exception cref="ArgumentException">An address is of the other family.</exception>
    public GuestAddresses(IpAddress v4, IpAddress v6)
    {
        if (!v4.IsV4)
            throw new ArgumentException($"{v4} is no IPv4 address.", nameof(v4));
        if (!v6.IsV6)
            throw new ArgumentException($"{v6} is no IPv6 address.", nameof(v6));
        V4 = v4;
        V6 = v6;
    }

    /// <summary>Null: the host has no IPv4.</summary>
    public IpAddress? V4 { get; }

    /// <summary>Null: the host has no IPv6.</summary>
    public IpAddress? V6 { get; }

    /// <summary>The IPv4 address first.</summary>
    public IReadOnlyList<IpAddress> All => (V4, V6) switch
    {
        ({ } v4, { } v6) => [v4, v6],
        ({ } v4, null) => [v4],
        (null, { } v6) => [v6],
        _ => [],
    };

    /// <summary>The address by which the host speaks with another one; null: it has none of that family.</summary>
    public IpAddress? Towards(IpAddress other) => other.IsV4 ? V4 : V6;

    public bool Contains(IpAddress address) => Towards(address) == address;

    /// <summary>As "10.99.0.2, fd00::2".</summary>
    public override string ToString() => string.Join(", ", All);
}
