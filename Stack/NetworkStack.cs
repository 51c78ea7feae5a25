using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Stack;

/// <summary>
/// A TCP/IP stack with one interface, without I/O: frames, time and socket calls go in; frames and socket events come out. One owner calls it, from
/// one thread at a time; it calls nobody back.
/// </summary>
public sealed class NetworkStack
{
    /// <param name="pool">Where buffers for frames and data are rented.</param>
    /// <param name="secret">32 unpredictable bytes: every random number and key derives from them, so that a run repeats from its secret.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the secret is not 32 bytes long.</exception>
    public NetworkStack(StackOptions options, BufferPool pool, ReadOnlySpan<byte> secret)
    {
        options.Validate();
        Options = options;
        var random = new KeyedRandom(secret);
        Tcp = new TcpLayer(options.Tcp, null!, new SocketEventQueue(), new TimerWheel(), random, Counters.Tcp);
        Udp = new UdpLayer();
        Icmp = new IcmpLayer();
    }

    public StackOptions Options { get; }

    public StackCounters Counters { get; } = new();

    public TcpLayer Tcp { get; }

    public UdpLayer Udp { get; }

    public IcmpLayer Icmp { get; }

    /// <summary>The interface's addresses with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => throw new NotSupportedException();

    /// <summary>The routes, longest prefix first, those of the interface's own prefixes included.</summary>
    public IReadOnlyList<Route> Routes => throw new NotSupportedException();

    /// <summary>A snapshot of the neighbour table.</summary>
    public IReadOnlyList<NeighborInfo> Neighbors => throw new NotSupportedException();

    /// <summary>Gives the interface an address and the route to its prefix, and announces it on the link (RFC 5227, 2.3).</summary>
    /// <returns>None; AddressInUse: it has it already; InvalidArgument: no host can have it; AddressFamilyNotSupported.</returns>
    public StackError AddAddress(IpPrefix address, Instant now) => throw new NotSupportedException();

    /// <summary>Takes an address away. Connections bound to it end with <see cref="StackError.ConnectionAborted"/>.</summary>
    /// <returns>False: the interface does not have it.</returns>
    public bool RemoveAddress(IpAddress address, Instant now) => throw new NotSupportedException();

    /// <summary>Adds a route through a gateway, or replaces the one to the same destination.</summary>
    /// <param name="gateway">On one of the interface's prefixes; unspecified for destinations on the link.</param>
    /// <returns>None; NetworkUnreachable: the gateway is not on the link; InvalidArgument; AddressFamilyNotSupported.</returns>
    public StackError AddRoute(IpPrefix destination, IpAddress gateway) => throw new NotSupportedException();

    /// <returns>False: there is no such route.</returns>
    public bool RemoveRoute(IpPrefix destination) => throw new NotSupportedException();

    /// <summary>Takes one frame from the wire, and its buffer. Never throws for what is in it.</summary>
    public void Receive(PacketBuffer frame, Instant now) => throw new NotSupportedException();

    /// <summary>Runs due timers, delivers packets to own addresses, and lets sockets emit while the egress queue has room. Work per call is bounded.</summary>
    public void Poll(Instant now) => throw new NotSupportedException();

    /// <summary>
    /// When <see cref="Poll"/> has something to do again: <see cref="Instant.Zero"/> at once, <see cref="Instant.Never"/> only after a call from outside.
    /// After a <c>Poll(t)</c> that left no work, with room on the egress queue, it is later than t.
    /// </summary>
    public Instant PollAt => throw new NotSupportedException();

    /// <summary>Takes the next frame for the wire; the caller owns it.</summary>
    public bool TryDequeueFrame([NotNullWhen(true)] out PacketBuffer? frame) => throw new NotSupportedException();

    /// <summary>Takes the next socket with news.</summary>
    public bool TryDequeueEvent([NotNullWhen(true)] out StackSocket? socket, out SocketEvents events) => throw new NotSupportedException();
}
