using Akka.Actor;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>A wire, or a queue of one.</summary>
/// <param name="Wire">The driver's from now on.</param>
/// <param name="Reopen">Opens it again after a failure; throws <see cref="WireException"/>.</param>
public sealed record DriverWire(IWire Wire, Func<IWire> Reopen);

/// <summary>A queue of each wire with the thread that serves it: taps, stack, and the connections that are its own.</summary>
/// <param name="Wires">One for each of <see cref="DriverSettings.AllInterfaces"/>, in that order.</param>
/// <param name="Dispatcher">The id of the dispatcher for the shard's actors.</param>
public sealed record DriverShard(IReadOnlyList<DriverWire> Wires, IReactor Reactor, string Dispatcher);

/// <summary>What a driver is made of. The caller opens the wire and the link's socket, since it can tell the user why one does not open.</summary>
/// <param name="Shards">One, or several whose wires are queues of the same devices.</param>
/// <param name="Link">The listening socket for applications, or null for none; the driver's from now on.</param>
/// <param name="Secret">32 bytes that the engines' random numbers derive from.</param>
public sealed record DriverContext(DriverSettings Settings, IReadOnlyList<DriverShard> Shards, LinkListener? Link, BufferPool Pool, TimeProvider Clock,
    byte[] Secret)
{
    /// <summary>Has what no other shard needs: control connections, proxies, pings.</summary>
    public DriverShard Home => Shards[0];

    /// <summary>The ports of the host that lead into the stack's network; the driver's from now on.</summary>
    public IReadOnlyList<HostPort> HostPorts { get; init; } = [];

    /// <summary>Opens the wire of an interface that comes while the driver runs, a queue for each shard; throws <see cref="WireException"/>. Null: none can come.</summary>
    public Func<InterfaceSettings, IReadOnlyList<DriverWire>>? OpenWires { get; init; }

    /// <summary>Looks how much memory is left; null: nobody does.</summary>
    public MemoryWatch? Memory { get; init; }

    /// <summary>How many descriptors there are for sessions, sockets and the host's connections, and the process's limit, which the log tells.</summary>
    public DescriptorRoom Descriptors { get; init; } = new(int.MaxValue, int.MaxValue);

    /// <summary>Makes the actor that answers <see cref="Resolve"/>. The host's resolver, unless told otherwise.</summary>
    public Props Resolver { get; init; } = HostResolverActor.Props();
}

/// <summary>What the process's limit on open files leaves.</summary>
/// <param name="Room">For sessions, sockets and the host's connections, all together.</param>
/// <param name="Limit">Of the process.</param>
public sealed record DescriptorRoom(int Room, int Limit);
