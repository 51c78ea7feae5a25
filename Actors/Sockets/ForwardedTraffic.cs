using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Sockets;

/// <summary>What a guest sends to others through a stack actor: the conversation of Messages/Forward.cs. A stack without a guest has none.</summary>
internal sealed class ForwardedTraffic(StackDesk desk)
{
    private IActorRef _owner = ActorRefs.Nobody;

    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        if (desk.Stack.Forwarder is not { } forwarder)
            return false;
        switch (message)
        {
            case ReturnDatagram datagram:
                forwarder.Send(datagram.Data, datagram.From, datagram.To, desk.Now);
                break;
            case AcceptForwarded accept:
                Accept(forwarder, accept, sender);
                break;
            case RefuseForwarded refuse:
                forwarder.Refuse(refuse.Source, refuse.Destination, refuse.Reason, desk.Now);
                break;
            case RefuseDatagram refuse:
                forwarder.RefuseDatagram(refuse.Source, refuse.Destination, refuse.Reason, refuse.Mtu, desk.Now);
                break;
            case AnswerEcho answer:
                forwarder.Answer(answer.Echo, answer.Result, desk.Now);
                break;
            case TakeForwarded:
                _owner = sender;
                Tell(forwarder);
                break;
            default:
                return false;
        }

        desk.PostPoll();
        return true;
    }

    /// <summary>Passes on what has come. It waits, within the engine's limits, while there is nobody to take it.</summary>
    public void Tell(StackForwarder forwarder)
    {
        if (_owner.IsNobody())
            return;
        while (forwarder.TryTakeHandshake(out var source, out var destination))
            _owner.Tell(new ForwardHandshake(source, destination));
        while (forwarder.TryTakeDatagram(out var data, out var source, out var destination, out var dontFragment))
            _owner.Tell(new ForwardDatagram(data, source, destination, dontFragment));
        while (forwarder.TryTakeEcho(out var echo))
            _owner.Tell(new ForwardEcho(echo));
    }

    private void Accept(StackForwarder forwarder, AcceptForwarded accept, IActorRef owner)
    {
        var error = forwarder.Accept(accept.Source, accept.Destination, accept.Options, desk.Now, out var socket);
        if (socket is null)
        {
            owner.Tell(new Closed(error));
            return;
        }

        var entry = desk.Sockets.Add(socket, owner, desk.Now);
        entry.Established = true;
        owner.Tell(new Connected(entry.Id, socket.Local, socket.Remote, socket.SendRoom));
    }
}
