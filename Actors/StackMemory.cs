using Akka.Event;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>Tells the engine and the sockets' actors how much memory the machine, or the control group, has left.</summary>
internal sealed class StackMemory(StackDesk desk)
{
    private Instant _lookedAt;
    private long _bytesAtLook;

    /// <summary>Checks the memory if a check is due. Nothing is checked while the stack is idle, because it uses no memory then.</summary>
    public void Watch(Instant now)
    {
        if (desk.Context.Memory is not { } memory)
            return;
        var bytes = desk.Stack.Counters.InBytes + desk.Stack.Counters.OutBytes;
        if (!memory.IsDue(now - _lookedAt, bytes - _bytesAtLook))
            return;
        (_lookedAt, _bytesAtLook) = (now, bytes);
        var before = desk.Stack.MemoryLevel;
        var level = desk.Stack.MemoryLevel = memory.Look();
        if (level != before)
            Tell(level);
    }

    private void Tell(MemoryLevel level)
    {
        switch (level)
        {
            case MemoryLevel.Exhausted:
                desk.Refusals.Warn(desk.Log, "Memory is exhausted: new connections and sockets are refused (the limit of the control group, or the machine's memory)");
                break;
            case MemoryLevel.Scarce:
                desk.Refusals.Inform(desk.Log, "Memory is scarce: windows stay small");
                break;
            default:
                desk.Refusals.Inform(desk.Log, "Memory is ample again");
                break;
        }
    }
}
