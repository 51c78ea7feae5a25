using Akka.Actor;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>Stops the children of an actor in order: each child is told, and its end awaited, once, even if it was ending already.</summary>
internal sealed class Dismissal
{
    private readonly HashSet<IActorRef> _left = [];

    /// <summary>Watches every child and tells it <see cref="Stopping"/>.</summary>
    public Dismissal(IActorContext context)
    {
        foreach (var child in context.GetChildren().ToList())
        {
            _left.Add(context.Watch(child));
            child.Tell(Stopping.Instance);
        }
    }

    public bool IsDone => _left.Count == 0;

    /// <summary>Tells the remaining children again: the driver's patience is over.</summary>
    public void Hurry()
    {
        foreach (var child in _left)
            child.Tell(Stopping.Instance);
    }

    public void Left(Terminated gone) => _left.Remove(gone.ActorRef);
}
