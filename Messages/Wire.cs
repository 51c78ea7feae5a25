using Tapwire.Stack.Interfaces;

namespace Tapwire.Messages;

/// <summary>
/// StackActor → TapActor, once: open the wire. The sender receives its frames from now on. Answered by <see cref="WireUp"/> at once; or, if the wire has failed
/// meanwhile, by <see cref="WireDown"/>, and by <see cref="WireUp"/> when it works again. A wire to whose other end somebody has to come first, as a virtual machine's, says <see cref="WireUp"/> then.
/// </summary>
/// <param name="Interface">The index of the wire's interface in the stack; every message about the wire contains it.</param>
public sealed record OpenWire(byte Interface);

/// <summary>DriverActor → TapActor: the settings are read again; a wire that has a configuration of its own reads that again, too. No answer: the log says what has changed.</summary>
public sealed class RereadWire
{
    public static readonly RereadWire Instance = new();

    private RereadWire()
    {
    }
}

/// <summary>TapActor → StackActor: the wire works (again); the stack announces its addresses on it. No answer.</summary>
/// <param name="Interface">See <see cref="OpenWire"/>.</param>
public sealed record WireUp(byte Interface, string Name, MacAddress? HardwareAddress, int Mtu);

/// <summary>TapActor → StackActor: the wire has failed, or nobody is at its other end. Sockets stay; TCP retransmits when it is back. No answer.</summary>
/// <param name="Interface">See <see cref="OpenWire"/>.</param>
public sealed record WireDown(byte Interface, string Name, string Reason);
