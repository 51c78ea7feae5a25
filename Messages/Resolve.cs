using Akka.Event;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// Anyone → the resolver's actor: find the addresses of a host. Answered once by <see cref="Resolved"/>. This conversation separates the users of names from
/// the resolver: the host's, or another one.
/// </summary>
public sealed record Resolve(string Name);

/// <summary>The resolver's actor → who asked: the addresses.</summary>
/// <param name="Addresses">Best first: those that the stack can reach before others. Empty: there is no such host, or no name server answers.</param>
public sealed record Resolved(string Name, IReadOnlyList<IpAddress> Addresses) : IDeadLetterSuppression;
