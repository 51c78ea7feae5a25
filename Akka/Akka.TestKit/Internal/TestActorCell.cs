using Akka.Actor;
using Akka.Actor.Internal;
using Akka.Dispatch;
using Akka.Dispatch.SysMsg;

namespace Akka.TestKit.Internal;

public partial class InternalTestActorRef
{
    /// <summary>The cell of a test actor: hands out the actor, and tells when an asynchronous handler has ended.</summary>
    protected class TestActorCell : ActorCell
    {
        private readonly Scheduler _scheduler;
        private TaskCompletionSource _turn;

        public TestActorCell(
            ActorSystemImpl system, IInternalActorRef self, Props props, MessageDispatcher dispatcher, IInternalActorRef parent)
            : base(system, self, props, dispatcher, parent) => _scheduler = new Scheduler(this);

        public new object Actor => base.Actor;

        public override ActorTaskScheduler TaskScheduler => _scheduler;

        public override void SendSystemMessage(ISystemMessage systemMessage)
        {
            // A handler that the test waits for fails the test, not the actor.
            if (systemMessage is ActorTaskSchedulerMessage { Exception: { } exception } && Interlocked.Exchange(ref _turn, null) is { } turn)
            {
                Dispatcher.ResumeAfterTask(this);
                turn.SetException(exception);
            }
            else
                base.SendSystemMessage(systemMessage);
        }

        /// <summary>Runs a handler; the task ends when all of the handler has.</summary>
        internal Task RunTurn(Action handler)
        {
            var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _turn, turn, null) is not null)
                throw new InvalidOperationException("The actor still handles the message before");
            try
            {
                UseThreadContext(handler);
            }
            catch (Exception e)
            {
                _turn = null;
                return Task.FromException(e);
            }
            EndTurnIfIdle();
            return turn.Task;
        }

        protected internal override void AutoReceiveMessage(Envelope envelope)
        {
            if (envelope.Message is InternalGetActor)
                Sender.Tell(Actor, Self);
            else
                base.AutoReceiveMessage(envelope);
        }

        private void EndTurnIfIdle()
        {
            if (_scheduler.CurrentMessage is null)
                Interlocked.Exchange(ref _turn, null)?.SetResult();
        }

        private sealed class Scheduler(TestActorCell cell) : ActorTaskScheduler(cell)
        {
            protected override void OnAfterTaskCompleted() => cell.EndTurnIfIdle();
        }
    }
}
