using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Proxy;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

// CONNECT, and a forwarded port: look up the addresses, try them (RFC 8305), join.
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
                Try(destination with { Zone = resolved.Interface is { } index ? InterfaceNumbers.TextOf(index) : null }, resolved.Addresses);
        });
        ReceiveImpatience(destination);
    }

    private void Try(Destination destination, IReadOnlyList<IpAddress> addresses)
    {
        var allowed = _handshake is null ? addresses : [.. addresses.Where(_context.Allows)];
        if (allowed.Count == 0)
        {
            Fail(ProxyOutcome.NotAllowed, $"{destination} is not allowed (tapwire.socks.destinations)");
            return;
        }

        var race = new AddressRace(allowed);
        TryNext(destination, race);
        Become(() => Racing(destination, race));
    }

    private void TryNext(Destination destination, AddressRace race)
    {
        var next = race.Next();
        Context.ActorOf(ConnectAttemptActor.Props(_context.Stack, new IpEndpoint(next, destination.Port), Options, next.IsLinkLocal ? destination.Zone : null).WithDispatcher(_context.Sockets.Dispatcher));
        if (race.HasNext)
            Timers.StartSingleTimer(nameof(TimeForNext), TimeForNext.Instance, AddressRace.AttemptDelay);
        else
            Timers.Cancel(nameof(TimeForNext));
    }

    private void Racing(Destination destination, AddressRace race)
    {
        Receive<AttemptSucceeded>(won =>
        {
            _socket = won.Id;
            foreach (var attempt in Context.GetChildren())
                Context.Stop(attempt);
            if (_handshake is null || Answer(_handshake.Reply(ProxyOutcome.Succeeded, won.Local)))
                Join(won.Id, won.Local, won.Remote);
        });
        Receive<AttemptFailed>(failed =>
        {
            race.Failed(failed.Address, failed.Error);
            if (race.HasNext)
                TryNext(destination, race);
            else if (race.IsLost)
                Fail(ProxyOutcomes.Of(race.Failure), $"{destination} cannot be reached: {race.Failure.Describe()}");
        });
        Receive<TimeForNext>(_ => TryNext(destination, race));
        ReceiveImpatience(destination);
    }

    private void ReceiveImpatience(Destination destination)
    {
        Receive<TookTooLong>(_ => Fail(ProxyOutcome.TimedOut, $"{destination} does not answer (tapwire.proxy.connect-timeout)"));
        ReceiveClientGone();
        ReceiveStopping();
    }

    /// <summary>The session's timer: the addresses that are tried have not answered for a while.</summary>
    private sealed class TimeForNext
    {
        public static readonly TimeForNext Instance = new();

        private TimeForNext()
        {
        }
    }
}
