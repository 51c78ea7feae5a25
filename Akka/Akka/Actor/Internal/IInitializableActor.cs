namespace Akka.Actor.Internal;

/// <summary>An actor that the runtime completes once its constructor has run.</summary>
public interface IInitializableActor
{
    void Init();
}
