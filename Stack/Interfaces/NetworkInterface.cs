using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;

namespace Tapwire.Stack.Interfaces;

/// <summary>
/// One attachment of a stack to a network: a medium with its frames, addresses, neighbours, and the frames that wait for the wire. Made by
/// <see cref="NetworkStack.AddInterface"/>; called, like the stack, by the stack's owner only.
/// </summary>
/// <remarks>
/// Interfaces follow the strong host model (RFC 1122, 3.3.4.2): a packet is accepted only on the interface that has the destination address, and leaves only by
/// the one that has its source address. Three things follow. The local address gives the interface of a connection, which stays the same for its whole life.
/// Networks that trust each other less than they trust this host cannot reach each other's addresses through it. With a default route on each interface, an
/// answer leaves by the interface of its question.
/// </remarks>
public sealed class NetworkInterface
{
    internal NetworkInterface(byte index, InterfaceOptions options, StackCounters counters)
    {
        Index = index;
        Options = options;
        SuperFrame = Math.Max(options.SuperFrame, options.Mtu);
        Egress = new EgressQueue(options, counters);
        Own = new AddressTable();
    }

    /// <summary>The interface's number in the stack, below <see cref="NetworkStack.MaxInterfaces"/>; after removal another interface may get it.</summary>
    public byte Index { get; }

    public InterfaceOptions Options { get; }

    /// <summary>The interface's addresses with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => Own.Prefixes;

    /// <summary>A snapshot of the neighbour table, in address order.</summary>
    public IReadOnlyList<NeighborInfo> Neighbors => Framing.Neighbors;

    /// <summary>Frames wait to be taken.</summary>
    public bool HasFrames => !Egress.IsEmpty;

    /// <summary>
    /// The wire takes no frames for now. Transports wait, so that what they would queue can still change; frames that cannot wait are queued all the same.
    /// </summary>
    public bool IsHeldBack { get; set; }

    internal EgressQueue Egress { get; }

    internal AddressTable Own { get; }

    /// <summary>The medium's framing, set once by the stack, because its construction needs the interface.</summary>
    internal Framing Framing { get; set; } = null!;

    internal int Mtu => Options.Mtu;

    /// <summary>Largest IP packet that the device cuts into segments; the MTU where it cuts none.</summary>
    internal int SuperFrame { get; }

    /// <summary>Takes the next frame for the wire; the caller owns it.</summary>
    public bool TryDequeueFrame([NotNullWhen(true)] out PacketBuffer? frame) => Egress.TryDequeue(out frame);

    /// <summary>The wire has come up again: announces all addresses on it.</summary>
    public void Announce(Instant now)
    {
        foreach (var prefix in Own.Prefixes)
            Framing.AddressAdded(prefix.Address, now);
    }

    /// <summary>
    /// The wire has gone down. It may come up on another network, so all neighbours are forgotten. Packets that wait for one are dropped, as those on the wire
    /// are.
    /// </summary>
    public void WireDown() => Framing.ForgetNeighbors();

    public override string ToString() => Options.Name.Length > 0 ? Options.Name : $"interface {Index}";
}
