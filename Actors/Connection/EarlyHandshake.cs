using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Stack;

namespace Tapwire.Actors.Connection;

/// <summary>
/// The handshake of a connection that the application may write before the peer has answered (Fast Open, RFC 7413). One request can wait for its outcome.
/// </summary>
internal sealed class EarlyHandshake
{
    private Question? _waiting;

    /// <summary>Has a request wait for the outcome. False: another request waits.</summary>
    public bool TryAwait(ConnectRequest request, IActorRef session)
    {
        if (_waiting is not null)
            return false;
        _waiting = new Question(request, session);
        return true;
    }

    /// <summary>The peer has answered: the connection is established.</summary>
    public void Complete() => _ = TryFail(StackError.AlreadyConnected);

    /// <summary>Answers the request that waits. False: none does.</summary>
    public bool TryFail(StackError error)
    {
        if (_waiting is not { } waiting)
            return false;
        _waiting = null;
        waiting.Answer(waiting.Request.Failed(error));
        return true;
    }
}
