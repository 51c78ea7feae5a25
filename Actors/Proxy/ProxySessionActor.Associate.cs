using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Proxy;
using Tapwire.Messages;
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
            Become(() => Associating(from, relay));
        }
        catch (HostSocketException e)
        {
            Fail(ProxyOutcome.Failed, e.Message);
        }
    }

    private void Associating(Destination from, IActorRef relay)
    {
        Receive<AssociationOpened>(opened =>
        {
            if (opened.Error != Stack.StackError.None)
            {
                Context.Unwatch(relay);
                Fail(ProxyOutcomes.Of(opened.Error), $"the stack has no UDP socket: {opened.Error}");
            }
            else if (Answer(_handshake!.Reply(ProxyOutcome.Succeeded, opened.Relay)))
            {
                Timers.CancelAll();
                Become(() => Associated(relay));
                Self.Tell(LinkReady.Of(Readiness.Readable), ActorRefs.NoSender);
            }
        });
        Receive<Terminated>(_ => Context.Stop(Self));
        ReceiveImpatience(from);
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
