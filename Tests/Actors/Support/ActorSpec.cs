using Akka.Actor;
using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Tapwire.Messages;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// Where specs of actors begin: TestKit in virtual time, on the spec's own thread (<see cref="VirtualTime"/>). A spec tells an actor something, and when <c>Tell</c>
/// returns all that follows from it has happened; what is due later happens in <see cref="Advance"/>. Nothing waits and nothing depends on the machine's load.
/// </summary>
public abstract class ActorSpec : TestKit
{
    /// <summary>So far time moves at once, so that what is on the way has its turn in between.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    private readonly TestProbe _asker;

    protected ActorSpec()
        : base(VirtualTime.Config) =>
        _asker = CreateTestProbe("asker");

    internal VirtualScheduler Scheduler => (VirtualScheduler)Sys.Scheduler;

    /// <summary>Moves time in small steps.</summary>
    internal void Advance(TimeSpan time, TimeSpan? step = null)
    {
        var size = step ?? Step;
        for (var left = time; left > TimeSpan.Zero; left -= size)
        {
            Scheduler.Advance(left < size ? left : size);
            Run();
        }
    }

    /// <summary>The answer of a stack's actor. One probe asks for all of a spec: some ask at every step.</summary>
    protected StackStatus StatusOf(IActorRef stack)
    {
        _asker.Send(stack, GetStatus.Instance);
        return _asker.ExpectMsg<StackStatus>();
    }

    /// <summary>Lets everything happen that can happen now beside what actors do.</summary>
    internal virtual void Run()
    {
    }

    /// <summary>The actor system has ended: what its actors must have given back is checked here.</summary>
    protected virtual void AfterShutdown()
    {
    }

    protected sealed override void Dispose(bool disposing)
    {
        try
        {
            base.Dispose(disposing);
        }
        finally
        {
            AfterShutdown();
        }
    }
}
