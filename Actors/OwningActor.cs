using Akka.Actor;

namespace Tapwire.Actors;

/// <summary>
/// An actor that owns something before it starts, such as a descriptor in its props. When PreStart throws, Akka.NET forgets the actor without a PostStop, and
/// what it owns would be lost. Here PostStop runs in that case too, and the supervisor then receives the fault.
/// </summary>
public abstract class OwningActor : ReceiveActor
{
    /// <inheritdoc/>
    public override void AroundPreStart()
    {
        try
        {
            base.AroundPreStart();
        }
        catch
        {
            AroundPostStop();
            throw;
        }
    }
}
