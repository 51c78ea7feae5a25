using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>The families by which a link is spoken to: each has a group of its own (RFC 6762, 3).</summary>
[Flags]
public enum MdnsFamilies
{
    None = 0,
    V4 = 1,
    V6 = 2,
}

/// <summary>A service that a driver offers (RFC 6763).</summary>
/// <param name="Type">Its name by IANA's registry (RFC 6335), as "http".</param>
public sealed record MdnsService(string Type, bool IsTcp, ushort Port);

/// <summary>What a driver publishes.</summary>
/// <param name="Label">The host's name without .local: a label of letters, digits and '-'.</param>
public sealed record MdnsIdentity(string Label, IReadOnlyList<MdnsService> Services)
{
    /// <summary>All of it as text, for comparison.</summary>
    public override string ToString() => $"{Label}: {string.Join(", ", Services)}";
}

/// <summary>What a link has said of a name and a type.</summary>
/// <param name="Result"><see cref="LookupResult.NoSuchName"/>: nobody has answered. <see cref="LookupResult.NoData"/>: there is such a name without records of that type.
/// <see cref="LookupResult.NoServer"/>: there is no link.</param>
/// <param name="Target">The name that an address has; with <paramref name="IsAlias"/>, the name that is to be asked for instead.</param>
public sealed record MulticastAnswer(LookupResult Result, IReadOnlyList<IpAddress> Addresses, DnsName? Target, bool IsAlias = false)
{
    /// <summary>The index of the interface that has said it, where there are several links; null: it does not matter.</summary>
    public byte? Interface { get; init; }

    public static MulticastAnswer Failed(LookupResult result) => new(result, [], null);
}

/// <summary>An instance of a service that a link has (RFC 6763); of the enumeration of types, a type.</summary>
/// <param name="Name">As its host writes it, for people: any text of up to 63 bytes. Of a type, as "_http._tcp".</param>
/// <param name="Host">Null: the link has not said it.</param>
/// <param name="Addresses">The host's.</param>
/// <param name="Text">What it says of itself, mostly "key=value".</param>
public sealed record ServiceInstance(string Name, DnsName? Host, ushort Port, IReadOnlyList<IpAddress> Addresses, IReadOnlyList<string> Text);

/// <summary>What multicast DNS asks its owner to do on a link. Dequeued in order.</summary>
public abstract record MdnsEvent;

/// <summary>Send a message from port 5353.</summary>
/// <param name="To">Null: to the groups of the families, with a hop limit of 255 (RFC 6762, 11).</param>
public sealed record MdnsSend(MdnsFamilies Families, IpEndpoint? To, ReadOnlyMemory<byte> Message) : MdnsEvent;

/// <summary>A question has its answer.</summary>
/// <param name="Number">As in <see cref="MdnsLink.Ask"/>.</param>
public sealed record MdnsAnswered(long Number, MulticastAnswer Answer) : MdnsEvent;

/// <summary>The time to look for services is over.</summary>
/// <param name="Number">As in <see cref="MdnsLink.Browse"/>.</param>
/// <param name="Result"><see cref="LookupResult.Found"/>, even if there are none; <see cref="LookupResult.Busy"/>: the link is browsed too often.</param>
public sealed record MdnsBrowsed(long Number, LookupResult Result, IReadOnlyList<ServiceInstance> Services) : MdnsEvent;

/// <summary>No other host on the link has the name: it is this one's, and published.</summary>
/// <param name="Label">Without .local.</param>
public sealed record MdnsEstablished(string Label) : MdnsEvent;

/// <summary>Another host has the name.</summary>
/// <param name="Taken">That name, without .local.</param>
/// <param name="Next">The one that is tried now.</param>
public sealed record MdnsRenamed(string Taken, string Next) : MdnsEvent;

/// <summary>How far a name is published on a link.</summary>
public enum MdnsState
{
    /// <summary>No name is to be published, or there is no address.</summary>
    Off,

    /// <summary>Other hosts are being asked whether one has it (RFC 6762, 8.1).</summary>
    Probing,

    /// <summary>It is being told to the link (RFC 6762, 8.3).</summary>
    Announcing,

    Established,
}
