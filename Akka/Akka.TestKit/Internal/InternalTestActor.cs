using Akka.Actor;
using Akka.Event;

namespace Akka.TestKit.Internal;

/// <summary>Puts what it receives where the test finds it.</summary>
internal sealed class InternalTestActor(MessageQueue queue) : ActorBase
{
    private readonly DelegatingSupervisorStrategy _children = new();
    private TestActor.Ignore _ignore;
    private AutoPilot _autoPilot;

    protected override SupervisorStrategy SupervisorStrategy() => _children;

    protected override bool Receive(object message)
    {
        switch (message)
        {
            case TestActor.SetIgnore setIgnore:
                _ignore = setIgnore.Ignore;
                break;
            case TestActor.Watch watch:
                Context.Watch(watch.Actor);
                break;
            case TestActor.Unwatch unwatch:
                Context.Unwatch(unwatch.Actor);
                break;
            case TestActor.SetAutoPilot setAutoPilot:
                _autoPilot = setAutoPilot.AutoPilot;
                break;
            case TestActor.Spawn spawn:
                var child = spawn.Apply(Context);
                if (spawn._supervisorStrategy.HasValue)
                    _children.Update(child, spawn._supervisorStrategy.Value);
                queue.Enqueue(new RealMessageEnvelope(child, Self));
                break;
            default:
                if (_autoPilot?.Run(Sender, message) is { } next and not KeepRunning)
                    _autoPilot = next;
                if (_ignore is null || !_ignore(message))
                    queue.Enqueue(new RealMessageEnvelope(message, Sender));
                break;
        }
        return true;
    }

    protected override void PostStop()
    {
        foreach (var unseen in queue.ToList())
            Context.System.DeadLetters.Tell(new DeadLetter(unseen.Message, unseen.Sender, Self), unseen.Sender);
    }
}
