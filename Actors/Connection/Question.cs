using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Connection;

/// <summary>An application's request that waits for the stack, and the session that its answer goes to.</summary>
internal sealed record Question(LinkSocketRequest Request, IActorRef Session)
{
    public void Answer(LinkAnswer answer) => Session.Tell(new LinkReply(answer));
}
