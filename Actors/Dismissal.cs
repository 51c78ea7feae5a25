using Akka.Actor;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>The children of an actor that stops in order: told to, and awaited, each once, also one that was going anyway.</summary>
internal sealed class Dismissal
{
    private readonly HashSet<IActorRef> _left = [];

    /// <summary>Watches every child and tells it that the driver stops.</summary>
    public Dismissal(IActorContext context)
    {
        foreach (var child in context.GetChildren().ToList())
        {
            _left.Add(context.Watch(child));
            child.Tell(Stopping.Instance);
        }
    }

    public bool IsDone => _left.Count == 0;

    /// <summary>Tells those that are still there once more: the driver's patience is over.</summary>
    public void Hurry()
    {
        foreach (var child in _left)
            child.Tell(Stopping.Instance);
    }

    public void Left(Terminated gone) => _left.Remove(gone.ActorRef);
}
