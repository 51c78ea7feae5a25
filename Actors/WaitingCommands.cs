using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>Commands and settings that have come while the driver was busy with others. It belongs to the driver's actor.</summary>
/// <param name="driver">The actor, to which they are told again.</param>
internal sealed class WaitingCommands(IActorRef driver)
{
    private const int Most = 64;

    private readonly Queue<(object Message, IActorRef Asker)> _waiting = [];

    /// <summary>The answer to a command of a driver that stops.</summary>
    public static readonly CommandAnswer Stopping = new((int)StackError.ConnectionAborted, "The driver is stopping.");

    /// <summary>A message waits, or is refused if too many do.</summary>
    public void Add(object message, IActorRef asker)
    {
        if (_waiting.Count < Most)
            _waiting.Enqueue((message, asker));
        else if (message is InterfaceCommand)
            asker.Tell(new CommandAnswer(LinkErrno.Busy, "The driver is busy with too many commands; ask again later."), driver);
        else
            asker.Tell(new Status.Failure(new InvalidOperationException("The driver is busy with too many commands.")), driver);
    }

    /// <summary>The driver has time again. Those that find it busy again wait again, in their order.</summary>
    public void GoOn()
    {
        while (_waiting.TryDequeue(out var waiting))
            driver.Tell(waiting.Message, waiting.Asker);
    }

    /// <summary>The driver stops.</summary>
    public void Refuse()
    {
        while (_waiting.TryDequeue(out var waiting))
            waiting.Asker.Tell(waiting.Message is InterfaceCommand ? Stopping : new Status.Failure(new InvalidOperationException("The driver is stopping.")), driver);
    }
}
