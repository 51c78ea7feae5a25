using Akka.Event;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// Anyone → the resolver's actor: which addresses has a host? Answered once by <see cref="Resolved"/>. This conversation is the seam between those who have names
/// and whoever knows them: the host's resolver, or another one.
/// </summary>
public sealed record Resolve(string Name);

/// <summary>The resolver's actor → who asked.</summary>
/// <param name="Addresses">Best first: those that the stack can reach before others. Empty: there is no such host, or nobody who knows answers.</param>
public sealed record Resolved(string Name, IReadOnlyList<IpAddress> Addresses) : IDeadLetterSuppression;
