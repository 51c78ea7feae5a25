using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Connection;

/// <summary>Requests about a connection's options that wait for the stack, which answers in the order of the questions.</summary>
internal struct OptionCalls
{
    // Null while none waits: most applications never ask.
    private Queue<Question>? _waiting;

    /// <summary>Asks the stack about an option. False: the option is not the stack's.</summary>
    public bool TryAsk(LinkRequest request, IActorRef session, IActorRef stack, SocketId socket)
    {
        switch (request)
        {
            case SetOptionRequest set when LinkOptions.Map(set.Level, set.Name) is { } option:
                if (LinkOptions.TryDecode(set.Level, option, set.Value.Span, out var value))
                    Ask(set, session, stack, new SetOption(socket, option, value));
                else
                    session.Tell(new LinkReply(set.Failed(LinkOptions.RefusalOf(option))));
                return true;
            case GetOptionRequest get when LinkOptions.IsTcpInfo(get):
                Ask(get, session, stack, new GetTcpInfo(socket));
                return true;
            case GetOptionRequest get when LinkOptions.Map(get.Level, get.Name) is { } option:
                Ask(get, session, stack, new GetOption(socket, option));
                return true;
            default:
                return false;
        }
    }

    public void Answer(TcpInfoAnswer answer)
    {
        if (Next() is { Request: GetOptionRequest get } question)
            question.Answer(LinkOptions.Encode(get, answer.Info ?? default));
    }

    /// <param name="defaults">The stack's, for options that the socket leaves to it.</param>
    /// <param name="unread">Bytes of the application that wait before the stack.</param>
    public void Answer(OptionAnswer answer, in TcpSocketOptions defaults, int unread)
    {
        if (Next() is not { } question)
            return;
        question.Answer(question.Request switch
        {
            _ when answer.Error != StackError.None => question.Request.Failed(answer.Error),
            GetOptionRequest get when LinkOptions.Map(get.Level, get.Name) is SocketOption.OutputQueue or SocketOption.UnsentQueue => get.Value(answer.Value + unread),
            GetOptionRequest get when LinkOptions.Map(get.Level, get.Name) is { } option =>
                LinkOptions.Encode(get, option, SocketOptions.OrDefault(option, answer.Value, defaults)),
            SetOptionRequest set => set.Done(),
            _ => question.Request.Failed(StackError.InvalidArgument),
        });
    }

    /// <summary>The actor ends: the stack's answers will not be heard.</summary>
    public void Fail(StackError error)
    {
        while (Next() is { } question)
            question.Answer(question.Request.Failed(error));
    }

    private void Ask(LinkSocketRequest request, IActorRef session, IActorRef stack, object message)
    {
        (_waiting ??= new Queue<Question>()).Enqueue(new Question(request, session));
        stack.Tell(message);
    }

    /// <summary>Takes the oldest request that waits; null: none does.</summary>
    public Question? Next()
    {
        if (_waiting is null)
            return null;
        var question = _waiting.Dequeue();
        if (_waiting.Count == 0)
            _waiting = null;
        return question;
    }
}
