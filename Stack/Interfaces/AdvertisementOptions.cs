namespace Tapwire.Stack.Interfaces;

/// <summary>Router advertisements of an interface (RFC 4861, 6.2.1; RFC 8106): its prefixes, its MTU, and itself as a name server. It is a router to them only where the stack forwards.</summary>
public sealed record AdvertisementOptions
{
    /// <summary>The interface's own addresses answer questions for names.</summary>
    public bool ServesNames { get; init; }

    /// <summary>Domains in which short names are looked for.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>Stations learn by DHCPv6 what is not in here.</summary>
    public bool HasOtherConfiguration { get; init; }
}
