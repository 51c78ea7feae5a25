using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

// What an application asks and sets: of a connection, the stack is asked; without one, the answer is here.
internal sealed partial class ConnectionActor
{
    /// <summary>What has been set so far.</summary>
    private TcpSocketOptions Options => _settings?.Options ?? default;

    private void AnswerUnconnected(LinkSocketRequest request)
    {
        LinkAnswer answer;
        switch (request)
        {
            case GetSockNameRequest name:
                answer = name.Named(Named(_local));
                break;
            case CloseRequest close:
                Unbind(); // before the answer, which says that the port is free
                Reply(close.Done());
                Context.Stop(Self);
                return;
            case SetOptionRequest set:
                answer = SetOption(set);
                break;
            case GetOptionRequest get:
                answer = GetOption(get);
                break;
            case ConnectRequest { AwaitHandshake: true } connect when !_isEarly || _error != StackError.None:
                // The connection is over: the handshake was done before, or failed.
                answer = connect.Failed(_isEarly ? _error : StackError.AlreadyConnected);
                _error = StackError.None;
                break;
            default:
                answer = request.Failed(StackError.NotConnected);
                break;
        }

        Reply(answer);
    }

    private LinkAnswer SetOption(SetOptionRequest request)
    {
        var settings = _settings ??= new SocketSettings();
        if (settings.Hints.Answer(request) is { } hint)
            return hint;
        var option = LinkOptions.Map(request.Level, request.Name);
        if (!LinkOptions.TryDecode(option, request.Value.Span, out var value))
            return request.Failed(StackError.InvalidArgument);
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
        {
            settings.Options = settings.Options with { ReuseAddress = value != 0 };
            return request.Done();
        }

        if (option is null)
            return request.Failed(StackError.NoSuchOption);
        var error = SocketOptions.Set(ref settings.Options, option.Value, value);
        return error == StackError.None ? request.Done() : request.Failed(error);
    }

    private LinkAnswer GetOption(GetOptionRequest request)
    {
        if (LinkOptions.Fixed(request.Level, request.Name, _family, LinkSocketType.Stream, listens: false) is { } known)
            return request.Value(known);
        if ((_settings?.Hints ?? default).Answer(request) is { } hint)
            return hint;
        if (LinkOptions.IsTcpInfo(request))
            return LinkOptions.Encode(request, default(TcpInfo));
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
            return request.Value(Options.ReuseAddress ? 1 : 0);
        switch (LinkOptions.Map(request.Level, request.Name))
        {
            case null or SocketOption.Broadcast:
                return request.Failed(StackError.NoSuchOption);
            case SocketOption.Error:
                var error = _error;
                _error = StackError.None;
                return request.Value((int)error);
            case { } option:
                return LinkOptions.Encode(request, option, OrDefault(option, SocketOptions.Get(Options, option)));
        }
    }

    /// <summary>The value of an option, or, where it is the stack's, what that is.</summary>
    private int OrDefault(SocketOption option, int value) =>
        value != 0 || option is SocketOption.Linger or SocketOption.Error ? value : SocketOptions.Get(_context.Defaults, option);

    /// <summary>An address as the application's socket sees it.</summary>
    private Sockaddr Named(IpEndpoint endpoint) => Sockaddr.From(endpoint, _family);

    /// <summary>Asks the stack; its answer will be the application's.</summary>
    private void AskStack(LinkSocketRequest request, object question)
    {
        (_optionCalls ??= new Queue<Question>()).Enqueue(new Question(request, Sender));
        _context.Stack.Tell(question);
    }

    /// <summary>The oldest question that the stack has not answered; null if there is none.</summary>
    private Question? NextOptionCall()
    {
        if (_optionCalls is null)
            return null;
        var call = _optionCalls.Dequeue();
        if (_optionCalls.Count == 0)
            _optionCalls = null;
        return call;
    }

    /// <summary>Passes on what the stack answers, or ends with the driver. False: the message is neither.</summary>
    private bool AnswersOptionOrStops(object message)
    {
        switch (message)
        {
            case OptionAnswer answer:
                AnswerOption(answer);
                return true;
            case TcpInfoAnswer answer:
                AnswerTcpInfo(answer);
                return true;
            case Stopping:
                StopInOrder();
                return true;
            default:
                return false;
        }
    }

    private void AnswerTcpInfo(TcpInfoAnswer answer)
    {
        if (NextOptionCall() is { Request: GetOptionRequest get } call)
            call.Session.Tell(new LinkReply(LinkOptions.Encode(get, answer.Info ?? default)));
    }

    /// <summary>The stack answers in the order of the questions.</summary>
    private void AnswerOption(OptionAnswer answer)
    {
        if (NextOptionCall() is not { } call)
            return;
        call.Session.Tell(new LinkReply(call.Request switch
        {
            _ when answer.Error != StackError.None => call.Request.Failed(answer.Error),
            GetOptionRequest get => LinkOptions.Encode(get, LinkOptions.Map(get.Level, get.Name)!.Value, OrDefault(LinkOptions.Map(get.Level, get.Name)!.Value, answer.Value)),
            SetOptionRequest set => set.Done(),
            _ => call.Request.Failed(StackError.InvalidArgument),
        }));
    }

    /// <summary>What an application has set. Most set nothing.</summary>
    private sealed class SocketSettings
    {
        public TcpSocketOptions Options;
        public SocketHints Hints;
    }
}
