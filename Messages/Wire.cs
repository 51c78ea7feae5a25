using Tapwire.Stack.Link;

namespace Tapwire.Messages;

/// <summary>
/// StackActor → TapActor, once: begin. Frames off the wire come to the sender from now on. Answered by <see cref="WireUp"/> at once, or, if the wire has failed
/// meanwhile, by <see cref="WireDown"/>, and by <see cref="WireUp"/> when it is there.
/// </summary>
public sealed class OpenWire
{
    public static readonly OpenWire Instance = new();

    private OpenWire()
    {
    }
}

/// <summary>TapActor → StackActor: the wire is there (again); the stack announces its addresses on it. No answer.</summary>
public sealed record WireUp(string Name, MacAddress? HardwareAddress, int Mtu);

/// <summary>TapActor → StackActor: the wire has failed. Sockets stay; TCP retransmits when it is back. No answer.</summary>
public sealed record WireDown(string Name, string Reason);
