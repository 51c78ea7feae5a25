using Akka.Actor;
using Akka.Event;
using Tapwire.Proxy;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

// BIND (RFC 1928, 4 and 6): a port of the stack waits for one connection from the host that the request names. The client gets two replies: the port, and who
// has connected.
internal sealed partial class ProxySessionActor
{
    private void Bind(Destination expected)
    {
        _context.Stack.Tell(GetStatus.Instance);
        Become(() => Binding(expected));
    }

    private void Binding(Destination expected)
    {
        Receive<StackStatus>(status =>
        {
            var own = status.Addresses().FirstOrDefault(prefix => prefix.Contains(expected.Address), status.Addresses().FirstOrDefault());
            if (own == default)
                Fail(ProxyOutcome.NetworkUnreachable, "the stack has no address to listen on");
            else if (expected.Name is null && !expected.Address.IsUnspecified && !_context.Allows(expected.Address))
                Fail(ProxyOutcome.NotAllowed, $"{expected} is not allowed (tapwire.socks.destinations)");
            else
                _context.Stack.Tell(new Listen(new IpEndpoint(own.Address, 0), 1, Binding: null, Options));
        });
        Receive<Listening>(listening =>
        {
            _listener = listening.Id;
            if (!Answer(_handshake!.Reply(ProxyOutcome.Succeeded, listening.Local)))
                return;
            _context.Stack.Tell(new Accept(listening.Id, 1));
            Become(() => Awaiting(listening.Id, expected));
        });
        Receive<ListenFailed>(failed => Fail(ProxyOutcomes.Of(failed.Error), $"no port to listen on: {failed.Error.Describe()}"));
        ReceiveImpatience(expected);
    }

    private void Awaiting(SocketId listener, Destination expected)
    {
        Receive<Accepted>(accepted =>
        {
            if (!IsExpected(accepted.Remote.Address, expected))
            {
                _context.Refusals.Inform(_log, "Reset a connection from {Remote}: client {Peer} waits for one from {Destination}", accepted.Remote, _peer, expected);
                _context.Stack.Tell(new Abort(accepted.Id));
                _context.Stack.Tell(new Accept(listener, 1));
                return;
            }

            _socket = accepted.Id;
            CloseListener();
            if (Answer(_handshake!.Reply(ProxyOutcome.Succeeded, accepted.Remote)))
                Join(accepted.Id, accepted.Local, accepted.Remote);
        });
        ReceiveImpatience(expected);
    }

    /// <summary>A client that names no address accepts a connection from anybody whom the settings allow.</summary>
    private bool IsExpected(IpAddress remote, Destination expected) =>
        expected.Name is null && !expected.Address.IsUnspecified ? remote == expected.Address : _context.Allows(remote);
}
