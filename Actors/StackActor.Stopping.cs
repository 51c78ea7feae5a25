using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

/// <summary>
/// DriverActor → StackActor, once every socket's actor has gone: let what is closing finish, within <paramref name="Patience"/>, reset the rest, and stop.
/// The answer is the actor's termination.
/// </summary>
internal sealed record StopStack(TimeSpan Patience);

// The end: TCP gets its FINs and their acknowledgements while there is patience, then RST.
public sealed partial class StackActor
{
    private bool _stopping;

    private void ReceiveStop()
    {
        Receive<StopStack>(stop =>
        {
            _stopping = true;
            Context.System.Scheduler.ScheduleTellOnce(stop.Patience, Self, PatienceIsOver.Instance, ActorRefs.NoSender);
            PostPoll();
        });
        Receive<PatienceIsOver>(_ =>
        {
            var now = Now;
            foreach (var entry in _sockets.All().ToList())
            {
                if (entry.Socket is TcpSocket socket)
                    socket.Abort(now);
            }

            _stack.Poll(now);
            Emit(now);
            PassOn();
            Context.Stop(Self);
        });
    }

    /// <summary>After each poll: nothing left to finish.</summary>
    private void StopWhenDone()
    {
        if (_stopping && _stack.Tcp.Count == 0)
            Context.Stop(Self);
    }

    private sealed class PatienceIsOver : IDeadLetterSuppression
    {
        public static readonly PatienceIsOver Instance = new();
    }
}
