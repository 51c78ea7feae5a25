using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Sockets;

/// <summary>The options of a stack actor's sockets: the conversation of Messages/Options.cs.</summary>
internal sealed class OptionRequests(StackDesk desk)
{
    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case SetOption set:
                Set(set, sender);
                return true;
            case GetOption get:
                Get(get, sender);
                return true;
            case GetTcpInfo get:
                sender.Tell(new TcpInfoAnswer(desk.Sockets.Find(get.Id)?.Socket is TcpSocket tcp ? tcp.Info : null));
                return true;
            default:
                return false;
        }
    }

    private void Get(GetOption get, IActorRef sender)
    {
        var value = 0;
        var error = desk.Sockets.Find(get.Id) is { } entry ? SocketOptions.Get(entry.Socket, get.Option, out value) : StackError.NotConnected;
        sender.Tell(new OptionAnswer(error, value));
    }

    private void Set(SetOption set, IActorRef sender)
    {
        if (desk.Sockets.Find(set.Id) is not { } entry)
        {
            sender.Tell(new OptionAnswer(StackError.NotConnected, 0));
            return;
        }

        var tcp = entry.Socket as TcpSocket;
        var before = tcp?.SendRoom ?? 0;
        sender.Tell(new OptionAnswer(SocketOptions.Set(entry.Socket, set.Option, set.Value, desk.Now), set.Value));
        if (tcp is not null && tcp.SendRoom > before)
            entry.Owner.Tell(WriteDone.Of(tcp.SendRoom - before));
        desk.PostPoll();
    }
}
