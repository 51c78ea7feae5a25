using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Actors.Proxy;

// UDP ASSOCIATE (RFC 1928, 4, 6 and 7): a relay that lives as long as the connection that asked for it.
internal sealed partial class ProxySessionActor
{
    /// <param name="from">Where the client says that its datagrams will come from; zeros where it does not know.</param>
    private void Associate(Destination from)
    {
        try
        {
            // Only the machine that has asked is heard, and on the address where it has asked.
            var socket = HostDatagramSocket.Bind(new IpEndpoint(_client.Local.Address, 0));
            var client = new IpEndpoint(_client.Remote.Address, from.Port);
            var relay = Context.Watch(Context.ActorOf(AssociationActor.Props(_context, socket, client).WithDispatcher(_context.Dispatcher)));
            Become(() => Associating(relay));
        }
        catch (HostSocketException e)
        {
            Fail(ProxyOutcome.Failed, e.Message);
        }
    }

    private void Associating(IActorRef relay)
    {
        Receive<AssociationOpened>(opened =>
        {
            if (opened.Error != Stack.StackError.None)
            {
                FailWithout(relay, ProxyOutcomes.Of(opened.Error), $"the stack has no UDP socket: {opened.Error.Describe()}");
            }
            else if (Answer(_handshake!.Reply(ProxyOutcome.Succeeded, opened.Relay)))
            {
                Timers.CancelAll();
                Become(() => Associated(relay));
                Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
            }
        });
        Receive<Terminated>(_ => Context.Stop(Self));
        Receive<TookTooLong>(_ => FailWithout(relay, ProxyOutcome.TimedOut, "the stack gives no UDP socket (tapwire.proxy.connect-timeout)"));
        ReceiveClientGone();
        ReceiveStopping();
    }

    /// <summary>The client is told, and has time to read it; the relay goes at once, and its end is nothing new.</summary>
    private void FailWithout(IActorRef relay, ProxyOutcome outcome, string reason)
    {
        Context.Unwatch(relay);
        Context.Stop(relay);
        Fail(outcome, reason);
    }

    private void Associated(IActorRef relay)
    {
        Receive<LinkReady>(_ =>
        {
            if (!IsGone())
                return;
            _log.Debug("Client {Peer} has ended its association", _peer);
            Leave();
        });
        Receive<DatagramsDropped>(Context.Parent.Forward);
        Receive<Terminated>(_ => Context.Stop(Self));
        Receive<Stopping>(_ => Leave());
    }
}
