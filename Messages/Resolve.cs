using Akka.Actor;
using Akka.Event;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>Who may be asked for a name.</summary>
public enum ResolveScope
{
    /// <summary>The driver's servers; the host's resolver for a name that they are not for.</summary>
    Any,

    /// <summary>Only the driver's servers. For another name the answer is <see cref="LookupResult.NoServer"/>.</summary>
    Network,

    /// <summary>Only the host's resolver: it is a name of the host's own network.</summary>
    Host,
}

/// <summary>
/// Anyone → a resolver's actor: find the addresses of a host, or the name of an address. Answered once by <see cref="Resolved"/>. This conversation separates the users of
/// names from the resolver: the driver's own, or the host's.
/// </summary>
/// <param name="Name">A name; with <see cref="LookupKind.Name"/> an address.</param>
/// <param name="Kind">The host's resolver knows only <see cref="LookupKind.Addresses"/>.</param>
public sealed record Resolve(string Name, LookupKind Kind = LookupKind.Addresses)
{
    public ResolveScope Scope { get; init; }
}

/// <summary>A resolver's actor → StackActor: give the asker this answer, with its addresses in the order in which they are to be tried (RFC 6724, 6). The asker gets <see cref="Resolved"/>.</summary>
public sealed record OrderAddresses(Resolved Answer, IActorRef Asker);

/// <summary>A resolver's actor, or the stack's → who asked: the addresses.</summary>
/// <param name="Name">As in the question.</param>
/// <param name="Addresses">Best first: those that the stack can reach before others. Empty: the result says why.</param>
public sealed record Resolved(string Name, IReadOnlyList<IpAddress> Addresses) : IDeadLetterSuppression
{
    public LookupResult Result { get; init; } = Addresses.Count > 0 ? LookupResult.Found : LookupResult.NoSuchName;

    /// <summary>The stack's index of the interface on whose link the link-local IPv6 addresses are; null: there are none, or there is one link only.</summary>
    public byte? Interface { get; init; }

    /// <summary>The addresses that need no interface to be said.</summary>
    public IReadOnlyList<IpAddress> Unzoned => Interface is null ? Addresses : [.. Addresses.Where(static address => !(address is { IsV6: true, IsLinkLocal: true }))];

    /// <summary>The name at the end of all aliases, or the name of an address; empty if it is not known.</summary>
    public string CanonicalName { get; init; } = "";
}
