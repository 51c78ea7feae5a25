using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

// What an application asks about its socket.
internal sealed partial class ConnectionActor
{
    /// <summary>The session of the request that is being handled.</summary>
    public IActorRef Asker => Sender;

    /// <summary>Answers the request that is being handled.</summary>
    public void Reply(LinkAnswer answer) => Sender.Tell(new LinkReply(answer));

    /// <summary>A port is on one shard, or its sockets are spread over all (SO_REUSEPORT): a socket that is to be bound to it belongs on a certain one.</summary>
    public void MoveToShardOf(ushort port, in PortSharing sharing) => _context = _context.ForTcp(port, sharing);

    private void AnswerConnected(LinkRequest asked)
    {
        switch (asked)
        {
            case GetSockNameRequest name:
                Reply(name.Named(Properties.LocalName));
                break;
            case GetPeerNameRequest peer:
                Reply(peer.Named(Properties.RemoteName));
                break;
            case ConnectRequest { AwaitHandshake: true } connect when _early?.TryAwait(connect, Sender) == true:
                break;
            case ConnectRequest connect:
                Reply(connect.Failed(StackError.AlreadyConnected));
                break;
            case SetOptionRequest or GetOptionRequest when Properties.Hint((LinkSocketRequest)asked) is { } hint:
                Reply(hint);
                break;
            case SetOptionRequest or GetOptionRequest when ConcernsWritten((LinkSocketRequest)asked) && !TakeWritten():
                Reply(asked.Failed(LinkErrno.BadHandle));
                break;
            case SetOptionRequest or GetOptionRequest:
                if (!_options.TryAsk(asked, Sender, _context.Stack, _socket!.Value))
                    AnswerUnconnected((LinkSocketRequest)asked);
                break;
            case ShutdownRequest shutdown:
                Shutdown(shutdown);
                break;
            case CloseRequest close:
                Reply(close.Done());
                AbandonBy(new Close(_socket!.Value));
                break;
            case LinkSocketRequest request:
                Reply(request.Failed(StackError.InvalidArgument));
                break;
        }
    }

    /// <summary>Whether a request is about the bytes that the application has written before it.</summary>
    private static bool ConcernsWritten(LinkSocketRequest request) => request switch
    {
        SetOptionRequest set => LinkOptions.Map(set.Level, set.Name) == SocketOption.Cork,
        GetOptionRequest get => LinkOptions.Map(get.Level, get.Name) is SocketOption.OutputQueue or SocketOption.UnsentQueue,
        _ => false,
    };

    /// <summary>Passes on what the application has written before a request, as far as there is room.</summary>
    /// <returns>False: the application has closed its descriptor.</returns>
    private bool TakeWritten()
    {
        GoOn(_send.Read(_link, _context, _socket!.Value));
        return !_link.IsClosed;
    }

    private void Shutdown(ShutdownRequest request)
    {
        var id = _socket!.Value;
        if (request.How is ShutdownHow.Receive or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Receive));
        if (request.How is ShutdownHow.Send or ShutdownHow.Both)
            _context.Stack.Tell(new Shutdown(id, ShutdownDirection.Send));
        Reply(request.Done());
    }

    /// <summary>Answers without the stack: there is no connection that it could be asked about, or the request is not about one.</summary>
    public void AnswerUnconnected(LinkSocketRequest request)
    {
        switch (request)
        {
            case GetSockNameRequest name:
                Reply(name.Named(Properties.LocalName));
                break;
            case CloseRequest close:
                Reply(close.Done());
                Stop();
                break;
            case SetOptionRequest set:
                Reply(Properties.Set(set));
                break;
            case GetOptionRequest get:
                Reply(Properties.Get(get, _context.Defaults));
                break;
            case ConnectRequest { AwaitHandshake: true } connect when _early is null || Properties.Error != StackError.None:
                // The connection is over: the handshake was done before, or failed.
                var error = Properties.TakeError();
                Reply(connect.Failed(_early is not null ? error : StackError.AlreadyConnected));
                break;
            default:
                Reply(request.Failed(StackError.NotConnected));
                break;
        }
    }

    /// <summary>Passes on what the stack answers, or ends with the driver. False: the message is neither.</summary>
    private bool AnswersOptionOrStops(object message)
    {
        switch (message)
        {
            case OptionAnswer answer:
                _options.Answer(answer, _context.Defaults, _link is StreamLink { IsClosed: false } link ? link.Unread : 0);
                return true;
            case TcpInfoAnswer answer:
                _options.Answer(answer);
                return true;
            case Stopping:
                StopInOrder();
                return true;
            default:
                return false;
        }
    }
}
