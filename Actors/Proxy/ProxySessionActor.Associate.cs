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

// UDP ASSOCIATE (RFC 1928, 4, 6 and 7): the relay lives as long as the connection that asked for it.
internal sealed partial class ProxySessionActor
{
    /// <param name="from">Where the client's datagrams will come from, as the client says; zeros if it does not know.</param>
    private void Associate(Destination from)
    {
        try
        {
            // The relay listens on the address that the client has connected to, and only to the client's machine.
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

    /// <summary>Stops the relay at once, and refuses the client, who has time to read the answer.</summary>
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
