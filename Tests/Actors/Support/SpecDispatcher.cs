using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Tapwire.Actors.Dispatch;

namespace Tapwire.Tests.Actors.Support;

/// <summary>
/// Runs actors on the thread that tells them something, one mailbox after the other in the order in which they got something to do, as the reactor does: when
/// <c>Tell</c> returns to a spec, everything that follows from it has happened. TestKit's own CallingThreadDispatcher runs the actor that is told inside the one
/// that tells, which no dispatcher of the product does.
/// </summary>
internal sealed class SpecDispatcher(MessageDispatcherConfigurator configurator, SpecDispatcher.Turns turns) : OrderedDispatcher(configurator)
{
    private static readonly Action<object?> RunMailbox = static run => ((IRunnable)run!).Run();

    public override void Post(Action<object?> work, object? state) => turns.Run(work, state);

    protected override void ExecuteTask(IRunnable run) => turns.Run(RunMailbox, run);

    protected override void Shutdown()
    {
    }

    /// <summary>The order among all actors of a system, whatever their dispatchers are called.</summary>
    internal sealed class Turns
    {
        private readonly Queue<(Action<object?> Work, object? State)> _waiting = new();
        private bool _running;

        /// <summary>Told from within a turn, work waits for its own. Another thread, such as that of a task which is piped to an actor, waits for all turns to end.</summary>
        public void Run(Action<object?> work, object? state)
        {
            lock (_waiting)
            {
                _waiting.Enqueue((work, state));
                if (_running)
                    return;
                _running = true;
                try
                {
                    while (_waiting.TryDequeue(out var next))
                        next.Work(next.State);
                }
                finally
                {
                    _running = false;
                }
            }
        }
    }
}

/// <summary>Named in <see cref="VirtualTime.Config"/>.</summary>
internal sealed class SpecDispatcherConfigurator : MessageDispatcherConfigurator
{
    private static readonly ConditionalWeakTable<ActorSystem, SpecDispatcher.Turns> TurnsOfSystem = [];

    private readonly SpecDispatcher _dispatcher;

    public SpecDispatcherConfigurator(Config config, IDispatcherPrerequisites prerequisites)
        : base(config, prerequisites) =>
        _dispatcher = new SpecDispatcher(this, TurnsOfSystem.GetOrCreateValue(prerequisites.Settings.System));

    public override MessageDispatcher Dispatcher() => _dispatcher;
}
