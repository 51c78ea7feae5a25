using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Guests;

/// <summary>A TCP port of the driver's stack whose connections lead to a guest. The guest's actor has them, so that they end with it in order.</summary>
internal sealed class PublishActor(IActorRef stack, PublishSpec spec, int backlog, IActorRef asker) : ListenerActor(stack,
    new Listen(spec.Listen, backlog, Binding: null, new TcpSocketOptions { NoDelay = true, KeepAlive = true, ReuseAddress = true }))
{
    /// <summary>Connections that the stack may hand over without being asked again, so that accepting one costs no round trip.</summary>
    private const int Ahead = 64;

    /// <param name="stack">The driver's stack actor.</param>
    /// <param name="asker">Told a <see cref="GuestAnswer"/>, once.</param>
    public static Props Props(IActorRef stack, PublishSpec spec, int backlog, IActorRef asker) => Akka.Actor.Props.Create(() => new PublishActor(stack, spec, backlog, asker));

    protected override LogLevel Level => LogLevel.DebugLevel;

    protected override void OnListening(Listening listening)
    {
        asker.Tell(GuestAnswer.Done);
        Stack.Tell(new Accept(listening.Id, Ahead));
    }

    protected override void OnListenFailed(StackError error)
    {
        asker.Tell(GuestPorts.Refusal(spec, error));
        Context.Stop(Self);
    }

    protected override void OnAccepted(SocketId listener, Accepted accepted)
    {
        Stack.Tell(new Accept(listener, 1));
        Context.Parent.Tell(new PublishedAccept(accepted, spec), Stack);
    }
}
