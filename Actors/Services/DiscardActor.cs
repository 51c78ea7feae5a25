using Akka.Actor;
using Tapwire.Messages;

namespace Tapwire.Actors.Services;

/// <summary>The discard service: reads and drops everything (RFC 863).</summary>
public sealed class DiscardActor(IActorRef stack) : StreamServiceActor(stack)
{
    public static Props Props(IActorRef stack) => Akka.Actor.Props.Create(() => new DiscardActor(stack));

    protected override void OnRead(ReadReady ready)
    {
        ready.Release();
        Consumed(ready.Bytes);
        if (ready.EndOfStream)
            Finish();
    }

    protected override bool TryForget() => true;
}
