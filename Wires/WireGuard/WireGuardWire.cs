using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Wires.Udp;

namespace Tapwire.Wires.WireGuard;

/// <summary>What a wire is made of. It owns all of them.</summary>
/// <param name="Clock">The system's, or one of virtual time.</param>
internal sealed record WireGuardParts(string Name, WgQuickFile File, Func<WgQuickFile> Reread, IDatagramPort Port, TimeProvider Clock, IRandomBytes Random, NameLookup Lookup, BufferPool Pool, int Mtu);

/// <summary>
/// A WireGuard interface as a wire of raw IP: packets go through a <see cref="WireGuardEngine"/> to the peers that have their addresses, over a UDP port. Received packets are opened straight into
/// the reader's memory; packets to be sent are sealed where the socket takes them from.
/// </summary>
internal sealed class WireGuardWire : IDirectReadWire, IProtocolWire
{
    /// <summary>Datagrams without a packet for the stack that one read handles: a flood of them must not keep its caller.</summary>
    private const int MostIdle = 256;

    /// <summary>Room for one packet of a peer that has an MTU of Ethernet's size, whatever ours is.</summary>
    private const int LeastRoom = 2048;

    private readonly WireGuardParts _parts;
    private readonly ObservedPort _port;
    private readonly WireGuardEngine _engine;
    private readonly SendBatch _batch;
    private readonly WireGuardNotices _notices;
    private readonly WireGuardPeers _peers;
    private readonly long _start;
    private PacketBuffer? _room;
    private Action<Readiness>? _ready;
    private ITimer? _timer;
    private Instant _armedFor = Instant.Never;
    private volatile bool _timerFired;
    private Instant _now;
    private int _at;
    private int _count;
    private bool _disposed;

    public WireGuardWire(WireGuardParts parts)
    {
        _port = new ObservedPort(parts.Port);
        _parts = parts = parts with { Port = _port };
        _start = parts.Clock.GetTimestamp();
        _batch = new SendBatch(parts.Port);
        _notices = new WireGuardNotices(parts.File.Name);
        _engine = new WireGuardEngine(parts.File.PrivateKey, WireGuardLimits.Default with { Mtu = parts.Mtu }, parts.Random, parts.Clock.GetUtcNow(), parts.Pool, _batch, _notices);
        _peers = new WireGuardPeers(_engine, _notices, parts, () => Report(Readiness.Readable));
        FrameRoom = Math.Max(LeastRoom, WireGuardMessage.PaddedLength(parts.Mtu, ushort.MaxValue));
    }

    public string Name => _parts.Name;

    public Medium Medium => Medium.Ip;

    public int Mtu => _parts.Mtu;

    public MacAddress? HardwareAddress => null;

    public WireOffloads Offloads => WireOffloads.None;

    public long Refused => _engine.Counters.AllDrops + _parts.Port.Refused;

    public int FrameRoom { get; }

    public IReadOnlyList<WirePeer> Peers => _peers.Describe(Now());

    public IReadOnlyDictionary<string, long> Counters => _peers.DescribeCounters(_parts.Port);

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_ready is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        Volatile.Write(ref _ready, ready);
        // The system's timers are up to 4 ms late, and expire on another thread.
        var timers = _parts.Clock == TimeProvider.System ? new ReactorTimeProvider(reactor) : _parts.Clock;
        _timer = timers.CreateTimer(static wire => ((WireGuardWire)wire!).TimerFired(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        // What waits for room is sent by the next read, since the owner may have nothing more to write.
        _parts.Port.Start(reactor, readiness => Report((readiness & Readiness.Writable) == 0 ? readiness : readiness | Readiness.Readable));
        _now = Now();
        _peers.Apply(_parts.File, _now);
        Settle();
        // What has come already, and what the configuration has to say, is taken by a read.
        ready(Readiness.Readable);
    }

    public bool BeginRead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _now = Now();
        _peers.TakeAnswers(_now);
        if (_timerFired)
        {
            _timerFired = false;
            _armedFor = Instant.Never;
        }

        _engine.Poll(_now);
        Settle();
        return false;
    }

    public int ReadFrame(Span<byte> room)
    {
        for (var idle = 0; idle < MostIdle; idle++)
        {
            if (_at >= _count && !TryReceive())
            {
                Settle();
                return -1;
            }

            var batch = _parts.Port.Latest;
            var datagram = batch.Bytes.Slice(_at, Math.Min(batch.Size, _count - _at));
            _at += datagram.Length;
            var length = _engine.Receive(datagram, batch.Path, _now, room);
            if (length > 0)
                return length;
        }

        Settle();
        return 0;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => this.ReadEach(pool, ref _room, frames, out more);

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _now = Now();
        if (_batch.IsBlocked && !_batch.Flush())
            return 0;
        var taken = 0;
        // A batch that does not fit the socket blocks, and the rest is offered again when it has gone.
        for (; taken < frames.Length && !_batch.IsBlocked; taken++)
        {
            var frame = frames[taken];
            if (frame.TotalLength > Mtu || frame.Offload is not { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None })
                _engine.Counters.Count(WireGuardDrop.TooLong);
            else
                _engine.Send(frame, _now);
        }

        Settle();
        return taken;
    }

    public ITunnelObserver? TunnelObserver
    {
        get => _port.Observer;
        set => _port.Observer = value;
    }

    public bool TryTakeNotice(out WireNotice notice) => _notices.TryTake(_parts.Port, out notice);

    public void Reread()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        try
        {
            using var file = _parts.Reread();
            _now = Now();
            _peers.ApplyAgain(file, _now);
            Settle();
        }
        catch (WireException e)
        {
            _notices.Add(WireNoticeLevel.Warning, $"The peers stay as they are: {e.Message.TrimEnd('.')}");
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Volatile.Write(ref _ready, null);
        _timer?.Dispose();
        _peers.Dispose();
        _engine.Dispose();
        _parts.Port.Dispose();
        _parts.File.Dispose();
        _room?.Release();
    }

    private bool TryReceive()
    {
        (_at, _count) = (0, 0);
        if (!_parts.Port.TryReceive())
            return false;
        _count = _parts.Port.Latest.Bytes.Length;
        return true;
    }

    /// <summary>Sends what the engine has written, and sets the timer to its next deadline.</summary>
    private void Settle()
    {
        _batch.Flush();
        var due = _engine.PollAt;
        // A timer that fires too early costs a look, and setting it anew for each packet a system call: deadlines move as packets come and go.
        if (_timer is null || due >= _armedFor)
            return;
        _armedFor = due;
        var delay = due - _now;
        _timer.Change(delay > TimeSpan.Zero ? delay : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private void TimerFired()
    {
        _timerFired = true;
        Report(Readiness.Readable);
    }

    private void Report(Readiness readiness) => Volatile.Read(ref _ready)?.Invoke(readiness);

    private Instant Now() => new(_parts.Clock.GetElapsedTime(_start).Ticks);
}
