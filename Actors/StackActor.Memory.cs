using Akka.Event;
using Tapwire.Stack;

namespace Tapwire.Actors;

// What the machine, or the control group, has left: the engine and the sockets' actors go by it.
public sealed partial class StackActor
{
    private Instant _lookedAt;
    private long _bytesAtLook;

    /// <summary>Costs nothing while nothing goes on: then no memory is used either.</summary>
    private void WatchMemory(Instant now)
    {
        if (_context.Memory is not { } memory)
            return;
        var bytes = _stack.Counters.InBytes + _stack.Counters.OutBytes;
        if (!memory.IsDue(now - _lookedAt, bytes - _bytesAtLook))
            return;
        (_lookedAt, _bytesAtLook) = (now, bytes);
        var before = _stack.MemoryLevel;
        var level = _stack.MemoryLevel = memory.Look();
        if (level != before)
            Tell(level);
    }

    private void Tell(MemoryLevel level)
    {
        switch (level)
        {
            case MemoryLevel.Exhausted:
                _refusals.Warn(_log, "Memory is exhausted: new connections and sockets are refused (the limit of the control group, or the machine's memory)");
                break;
            case MemoryLevel.Scarce:
                _refusals.Inform(_log, "Memory is scarce: windows stay small");
                break;
            default:
                _refusals.Inform(_log, "Memory is ample again");
                break;
        }
    }
}
