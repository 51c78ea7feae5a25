using System.Security.Cryptography;
using Akka.Actor;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>A wire, or one queue of a multi-queue wire.</summary>
/// <param name="Wire">Owned by the driver from now on.</param>
/// <param name="Reopen">Opens the wire again after a failure; throws <see cref="WireException"/>.</param>
public sealed record DriverWire(IWire Wire, Func<IWire> Reopen);

/// <summary>A shard: one queue of each wire, and the thread that serves it. Taps, stack and the shard's connections run on that thread.</summary>
/// <param name="Wires">One for each of <see cref="DriverSettings.AllInterfaces"/>, in the same order.</param>
/// <param name="Dispatcher">The id of the dispatcher for the shard's actors.</param>
public sealed record DriverShard(IReadOnlyList<DriverWire> Wires, IReactor Reactor, string Dispatcher);

/// <summary>The context of a driver. The caller opens the wires and the link's socket, because it can tell the user why one does not open.</summary>
/// <param name="Shards">At least one. The wires of several shards are queues of the same devices.</param>
/// <param name="Link">The listening socket for applications, or null without a link. Owned by the driver from now on.</param>
/// <param name="Secret">32 bytes that the engines' random numbers derive from.</param>
public sealed record DriverContext(DriverSettings Settings, IReadOnlyList<DriverShard> Shards, LinkListener? Link, BufferPool Pool, TimeProvider Clock,
    byte[] Secret)
{
    /// <summary>The shard with everything that exists once: control connections, proxies, pings.</summary>
    public DriverShard Home => Shards[0];

    /// <summary>The host's ports that lead into the stack's network. Owned by the driver from now on.</summary>
    public IReadOnlyList<HostPort> HostPorts { get; init; } = [];

    /// <summary>
    /// Opens the wire of an interface that is added while the driver runs, with a queue for each shard; throws <see cref="WireException"/>. Null: no interface can be added.
    /// </summary>
    public Func<InterfaceSettings, IReadOnlyList<DriverWire>>? OpenWires { get; init; }

    /// <summary>Watches how much memory is left. Null: memory is not watched.</summary>
    public MemoryWatch? Memory { get; init; }

    /// <summary>Descriptors available to sessions, sockets and the host's connections. The log reports them with the process's limit.</summary>
    public DescriptorRoom Descriptors { get; init; } = new(int.MaxValue, int.MaxValue);

    /// <summary>Tells how often the process had no descriptor left; null: nobody looks.</summary>
    public Func<DescriptorRefusals>? Refusals { get; init; }

    /// <summary>How often the driver looks for what needs an operator's attention, for the log; null: it does not.</summary>
    public TimeSpan? WatchEvery { get; init; }

    /// <summary>Has the whole driver stop, or read its settings again, when an operator asks over the link. Called on the driver's thread, and returns at once. Null: the driver ends with its program.</summary>
    public Action<DriverOperation>? Operate { get; init; }

    /// <summary>The capture of <see cref="CaptureSettings.File"/>, which begins with the driver; null: none. Owned by the driver from now on.</summary>
    public StartCapture? Capture { get; init; }

    /// <summary>What clients of the http service's live page show for more than the public figures; null: nobody is shown more.</summary>
    public PageToken? PageToken { get; init; }

    /// <summary>Where captures are written: not on the threads that have the packets.</summary>
    public string CaptureDispatcher { get; init; } = "akka.actor.default-dispatcher";

    /// <summary>16 bytes of this host's that stay the same from start to start, for the stable addresses of its interfaces (RFC 7217); at random where the host has none.</summary>
    public byte[] HostKey { get; init; } = RandomNumberGenerator.GetBytes(HostKeyLength);

    public const int HostKeyLength = 16;

    /// <summary>Makes the actor that answers <see cref="Resolve"/>; by default the host's resolver.</summary>
    public Props Resolver { get; init; } = HostResolverActor.Props();
}

/// <summary>Descriptors that the process's limit on open files leaves.</summary>
/// <param name="Room">Descriptors for sessions, sockets and the host's connections together.</param>
/// <param name="Limit">The process's limit on open files.</param>
public sealed record DescriptorRoom(int Room, int Limit);
