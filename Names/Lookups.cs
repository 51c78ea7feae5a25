using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>What is looked up of a name.</summary>
public enum LookupKind
{
    /// <summary>Addresses of both families.</summary>
    Addresses,

    AddressesV4,

    AddressesV6,

    /// <summary>The name of an address.</summary>
    Name,
}

/// <summary>How a look-up has ended.</summary>
public enum LookupResult
{
    Found,

    /// <summary>NXDOMAIN, or the name is one that no server may be asked for (RFC 6761, RFC 6762).</summary>
    NoSuchName,

    /// <summary>There is such a name, but no address of the family asked for.</summary>
    NoData,

    /// <summary>Servers have answered that they cannot say.</summary>
    ServerFailure,

    /// <summary>No server has answered in time.</summary>
    TimedOut,

    /// <summary>The text is no host's name.</summary>
    NotAName,

    /// <summary>No server is known for this name.</summary>
    NoServer,

    /// <summary>Too many look-ups or questions are under way.</summary>
    Busy,
}

/// <param name="Addresses">Those of IPv4 first; without duplicates.</param>
/// <param name="Name">The canonical name, at the end of all aliases; of <see cref="LookupKind.Name"/> the name that was found. Empty unless found.</param>
public sealed record LookupAnswer(LookupResult Result, IReadOnlyList<IpAddress> Addresses, string Name)
{
    /// <summary>The index of the interface on whose link the link-local IPv6 addresses are, where there are several links; null: there are none, or there is one link.</summary>
    public byte? Interface { get; init; }

    public static LookupAnswer Failed(LookupResult result) => new(result, [], "");
}

public enum DnsTransport
{
    Udp,
    Tcp,
}

/// <summary>What the resolver asks its owner to do. Dequeued in order.</summary>
public abstract record ResolverEvent;

/// <summary>
/// Send a message to a server, from a new socket with an unpredictable port that is connected to the server, and tell <see cref="Resolver.Received"/> each message that comes
/// back, or <see cref="Resolver.Failed"/>.
/// </summary>
public sealed record ExchangeBegins(long Exchange, DnsTransport Transport, IpEndpoint Server, ReadOnlyMemory<byte> Message) : ResolverEvent;

/// <summary>Close the exchange's socket.</summary>
public sealed record ExchangeEnds(long Exchange) : ResolverEvent;

/// <summary>Ask the links for a name's records by multicast (<see cref="Mdns.MdnsLink"/>), and tell <see cref="Resolver.LinksAnswered"/> what they have said.</summary>
public sealed record LinksAsked(long Number, DnsName Name, DnsType Type) : ResolverEvent;

/// <summary>A look-up has its answer.</summary>
public sealed record LookupEnds(long Lookup, LookupAnswer Answer) : ResolverEvent;
