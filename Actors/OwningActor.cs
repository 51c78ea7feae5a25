using Akka.Actor;

namespace Tapwire.Actors;

/// <summary>
/// An actor that owns something from before it begins, such as a descriptor that its props carry. Akka.NET forgets an actor whose PreStart throws, without a
/// PostStop: what it owned would be lost. Here PostStop gives it back in that case, too, and the supervisor then hears of the fault.
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
