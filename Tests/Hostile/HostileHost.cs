using Tapwire.Tests.Support;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;
using Tapwire.Wires.Offload;

namespace Tapwire.Tests.Hostile;

/// <summary>One of the two hosts, 10.0.0.1 or 10.0.0.2, or fd00::1 or fd00::2: a stack with its applications, behind the wire of the round's path.</summary>
internal sealed class HostileHost : IDisposable
{
    public const ushort HonestPort = 80;

    /// <summary>The first client port of honest connections.</summary>
    public const ushort FirstClientPort = 5000;

    private const int Batch = 64;

    private readonly BufferPool _pool;
    private readonly FrameQueueWire? _device;
    private readonly IWire? _wire;
    private readonly PacketBuffer[] _frames = new PacketBuffer[Batch];
    private readonly TcpListener _honest;
    private readonly TcpListener _sacrificial;

    public HostileHost(FrameCase @case, int host, BufferPool pool, SeededRandom random, Instant now)
    {
        _pool = pool;
        Address = @case.AddressOf(host).Address;
        Options = @case.OptionsOf(host);
        if (@case.IsSoftware)
        {
            var medium = @case.Link;
            _device = @case.Path == FramePath.MergingInPlace ? new DirectReadFrameQueueWire(pool, medium) : new FrameQueueWire(pool, medium);
            _wire = SoftwareOffloadWire.Over(_device, pool);
        }

        var secret = new byte[KeyedRandom.SecretLength];
        random.NextBytes(secret);
        Stack = new NetworkStack(Options, pool, secret);
        HostileException.Require(Stack.AddAddress(@case.AddressOf(host), now) == StackError.None, "The address is refused.");
        Stack.Tcp.Listen(new IpEndpoint(default, HonestPort), 16, default, out _honest!);
        Stack.Tcp.Listen(new IpEndpoint(default, SacrificialSockets.Port), 8, default, out _sacrificial!);
        Sacrificial = new SacrificialSockets(Stack, pool, random);
        Exchange = new HonestExchange(Stack, pool);
    }

    public IpAddress Address { get; }

    public StackOptions Options { get; }

    public NetworkStack Stack { get; }

    public SacrificialSockets Sacrificial { get; }

    public HonestExchange Exchange { get; }

    /// <summary>By client port.</summary>
    public HonestStream?[] Streams { get; } = new HonestStream?[FrameRound.Connections];

    /// <summary>Honest connections have the well-known port here.</summary>
    public bool IsServer { get; init; }

    /// <summary>Sockets that came up at the honest port: the first of each honest client is its stream, all others came from outside.</summary>
    public void Accept(Instant now)
    {
        while (_honest.Accept() is { } socket)
        {
            var index = socket.Remote.Port - FirstClientPort;
            if (IsServer && (uint)index < (uint)Streams.Length && Streams[index] is null)
                Streams[index] = new HonestStream(socket, (byte)(101 + index), (byte)(1 + index));
            else
                Sacrificial.Adopt(socket, now);
        }

        while (_sacrificial.Accept() is { } socket)
            Sacrificial.Adopt(socket, now);
    }

    /// <summary>Takes a frame that comes in.</summary>
    public void Deliver(PacketBuffer frame, Instant now)
    {
        if (_device is null)
        {
            Stack.Receive(frame, now);
            return;
        }

        _device.Deliver(frame);
        if (_device.Waiting >= Batch)
            Pump(now);
    }

    /// <summary>Lets the wire hand on what has come.</summary>
    public void Pump(Instant now)
    {
        if (_wire is null)
            return;
        bool more;
        do
        {
            var count = _wire.Read(_pool, _frames, out more);
            more |= count > 0;
            foreach (ref var slot in _frames.AsSpan(0, count))
            {
                var frame = slot;
                slot = null!;
                Stack.Receive(frame, now);
            }
        }
        while (more);
    }

    /// <summary>Puts a frame through this host's wire as if its stack had sent it; the caller keeps it.</summary>
    public void Emit(PacketBuffer frame) => _wire!.Write([frame]);

    /// <summary>Takes a frame that goes out.</summary>
    public bool TryTake(out PacketBuffer? frame)
    {
        if (_device is null)
            return Stack.TryDequeueFrame(out frame);
        while (!_device.TryTake(out frame))
        {
            if (!Stack.TryDequeueFrame(out var whole))
                return false;
            Emit(whole);
            whole.Release();
        }

        return true;
    }

    public void DropNews()
    {
        while (Stack.TryDequeueEvent(out _, out _))
        {
        }
    }

    /// <summary>Fails if a table is beyond its limit.</summary>
    public void CheckBounds()
    {
        var tcp = Stack.Tcp;
        var limits = Options.Tcp;
        HostileException.Require(Stack.FragmentMemory <= Options.Fragments.Memory, $"{Stack.FragmentMemory} bytes of fragments, {Options.Fragments.Memory} allowed.");
        HostileException.Require(tcp.Count <= limits.MaxSockets, $"{tcp.Count} sockets, {limits.MaxSockets} allowed.");
        HostileException.Require(tcp.EmbryonicCount <= limits.MaxEmbryonic, $"{tcp.EmbryonicCount} embryos, {limits.MaxEmbryonic} allowed.");
        HostileException.Require(tcp.TimeWaitCount <= limits.MaxTimeWait, $"{tcp.TimeWaitCount} in TIME-WAIT, {limits.MaxTimeWait} allowed.");
        HostileException.Require(tcp.MemoryHeld <= limits.Memory + (1 << 20), $"{tcp.MemoryHeld} bytes held, {limits.Memory} allowed.");
    }

    public void CloseListeners(Instant now)
    {
        Accept(now);
        _honest.Close(now);
        _sacrificial.Close(now);
    }

    public void Close(Instant now)
    {
        Exchange.Close();
        Stack.Close(now);
        DropNews();
        while (Stack.TryDequeueFrame(out var frame))
            frame.Release();
        Dispose();
    }

    public void Dispose()
    {
        (_wire ?? _device)?.Dispose();
    }
}
