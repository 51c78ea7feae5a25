using Akka.Actor;
using Tapwire.Proxy;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

// CONNECT, and a forwarded port: look up the address, connect, join.
internal sealed partial class ProxySessionActor
{
    private void Connect(Destination destination)
    {
        if (destination.Name is { } name)
        {
            _context.Resolver.Tell(new Resolve(name));
            Become(() => Resolving(destination));
        }
        else
        {
            Try(destination, [destination.Address]);
        }
    }

    private void Resolving(Destination destination)
    {
        Receive<Resolved>(resolved =>
        {
            if (resolved.Addresses.Count == 0)
                Fail(ProxyOutcome.NameUnknown, $"the name of {destination} is not known");
            else
                Try(destination, resolved.Addresses);
        });
        ReceiveImpatience(destination);
    }

    private void Try(Destination destination, IReadOnlyList<IpAddress> addresses)
    {
        var allowed = _handshake is null ? addresses : [.. addresses.Where(_context.Allows)];
        if (allowed.Count > 0)
            Connect(destination, allowed, 0, StackError.None);
        else
            Fail(ProxyOutcome.NotAllowed, $"{destination} is not allowed (tapwire.socks.destinations)");
    }

    private void Connect(Destination destination, IReadOnlyList<IpAddress> addresses, int index, StackError failure)
    {
        // On hold: the socket delivers nothing before the client has its answer and the connection its actor.
        _context.Stack.Tell(new Connect(new IpEndpoint(addresses[index], destination.Port), null, Options) { Hold = true });
        Become(() => Connecting(destination, addresses, index, failure));
    }

    /// <param name="failure">Why the first address could not be reached. The client is told this if no other can be.</param>
    private void Connecting(Destination destination, IReadOnlyList<IpAddress> addresses, int index, StackError failure)
    {
        Receive<Connecting>(connecting => _socket = connecting.Id);
        Receive<Connected>(connected =>
        {
            if (_handshake is null || Answer(_handshake.Reply(ProxyOutcome.Succeeded, connected.Local)))
                Join(connected.Id, connected.Local, connected.Remote);
        });
        Receive<ConnectFailed>(failed =>
        {
            _socket = null;
            var first = index == 0 ? failed.Error : failure;
            if (index + 1 < addresses.Count)
                Connect(destination, addresses, index + 1, first);
            else
                Fail(ProxyOutcomes.Of(first), $"{destination} cannot be reached: {first.Describe()}");
        });
        ReceiveImpatience(destination);
    }

    private void ReceiveImpatience(Destination destination)
    {
        Receive<TookTooLong>(_ => Fail(ProxyOutcome.TimedOut, $"{destination} does not answer (tapwire.proxy.connect-timeout)"));
        ReceiveClientGone();
        ReceiveStopping();
    }
}
