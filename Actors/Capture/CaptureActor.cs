using System.Reflection;
using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Capture;

/// <summary>
/// Writes one capture: a file, or a stream to a reader, in the format of pcapng. The actors that see packets bring them as blocks; a stream that is slower than they are costs packets, which the
/// <see cref="CaptureFeed"/> counts, and holds up nobody. It runs on a thread of the pool, and never blocks that: one write is under way at a time.
/// </summary>
/// <remarks>
/// The capture ends when it has the packets that it shall have, when its reader closes (a half is enough, and then it reads the end), when the stream cannot be written, or with the driver. Then everybody leaves it,
/// what has come until then is written, and behind it the statistics of each interface.
/// </remarks>
internal sealed class CaptureActor : OwningActor, IWithTimers
{
    /// <summary>How long the end may take: a reader that does not read must not keep the driver.</summary>
    internal static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(1);

    private const int OutputBytes = 128 << 10;

    private static readonly string Application = $"Tapwire {typeof(CaptureActor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0]}";

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly CaptureFeed _feed;
    private readonly StartCapture _start;
    private readonly WallClock _clock;
    private readonly long _began;
    private readonly HashSet<IActorRef> _points = [];
    private readonly byte[] _output = new byte[OutputBytes];
    private readonly byte[] _probe = new byte[1];
    private PacketBuffer? _first;
    private PacketBuffer? _last;
    private int _described;
    private int _counted;
    private int _filled;
    private long _written;
    private bool _isWriting;
    private bool _isEnding;

    public CaptureActor(CaptureFeed feed, StartCapture start, TimeProvider clock)
    {
        (_feed, _start, _clock) = (feed, start, new WallClock(clock));
        _began = _clock.Now;
        Capturing();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(CaptureFeed feed, StartCapture start, TimeProvider clock) => Akka.Actor.Props.Create(() => new CaptureActor(feed, start, clock));

    protected override void PreStart()
    {
        _log.Info("A capture to {Name} begins", _start.Name);
        Put(Pcapng.Header(Application));
        Write();
        if (_start.HasReader)
            WatchReader();
    }

    protected override void PostStop()
    {
        _feed.End();
        _start.Output.Dispose();
        if (_first is not null)
            new CapturedPackets(_feed, _first).Release();
        _first = _last = null;
        _log.Info("The capture to {Name} has ended: {Captured} packets, {Dropped} dropped", _start.Name, _written, _feed.Dropped);
    }

    private void Capturing()
    {
        Receive<CaptureJoined>(_ =>
        {
            _points.Add(Context.Watch(Sender));
            Write();
        });
        Receive<CapturedPackets>(packets =>
        {
            Take(packets);
            Write();
        });
        Receive<Written>(_ =>
        {
            _isWriting = false;
            Write();
        });
        Receive<NotWritten>(GiveUp);
        Receive<ReaderGone>(_ => End());
        Receive<Terminated>(gone => _points.Remove(gone.ActorRef));
        Receive<Stopping>(_ => End());
    }

    /// <summary>Has everybody leave, and waits for their last packets.</summary>
    private void End()
    {
        _feed.End();
        _isEnding = true;
        foreach (var point in _points)
            point.Tell(new LeaveCapture(_feed));
        Timers.StartSingleTimer(PatienceIsOver.Instance, PatienceIsOver.Instance, EndPatience);
        Become(Ending);
        Write();
    }

    private void Ending()
    {
        Receive<CaptureJoined>(_ =>
        {
            _points.Add(Context.Watch(Sender));
            Sender.Tell(new LeaveCapture(_feed));
        });
        Receive<CaptureLeft>(_ => Left(Sender));
        Receive<Terminated>(gone => Left(gone.ActorRef));
        Receive<CapturedPackets>(Take);
        Receive<Written>(_ =>
        {
            _isWriting = false;
            Write();
        });
        Receive<NotWritten>(GiveUp);
        Receive<PatienceIsOver>(_ => Context.Stop(Self));
        Receive<ReaderGone>(_ => { });
        Receive<Stopping>(_ => { });
    }

    private void Left(IActorRef point)
    {
        _points.Remove(point);
        Write();
    }

    private void Take(CapturedPackets packets)
    {
        if (_last is null)
            _first = packets.First;
        else
            _last.Next = packets.First;
        _last = packets.First;
        while (_last.Next is { } next)
            _last = next;
    }

    /// <summary>Writes what is here, unless a write is under way; its end calls again.</summary>
    private void Write()
    {
        if (_isWriting)
            return;
        Fill();
        if (_filled > 0)
        {
            _isWriting = true;
            var part = _output.AsMemory(0, _filled);
            _filled = 0;
            WriteAsync(part).PipeTo(Self, failure: static e => new NotWritten(e));
            return;
        }

        if (IsLast)
            Context.Stop(Self);
        else if (!_isEnding && _feed.Options.Count > 0 && _written >= _feed.Options.Count)
            End();
    }

    /// <summary>Nothing more will come.</summary>
    private bool IsLast => _isEnding && _points.Count == 0;

    private void Fill()
    {
        var interfaces = _feed.Interfaces;
        for (; _described < interfaces.Count; _described++)
        {
            if (!Put(Pcapng.Describe(interfaces[_described], _feed.Options.SnapLength)))
                return;
        }

        while (_first is { } block && _filled + block.Length <= _output.Length)
        {
            block.Span.CopyTo(_output.AsSpan(_filled));
            _filled += block.Length;
            _first = block.Next;
            if (_first is null)
                _last = null;
            block.Next = null;
            _feed.GiveBack(block.Capacity);
            block.Release();
            _written++;
        }

        while (_first is null && IsLast && _counted < interfaces.Count && Put(Pcapng.Statistics(interfaces[_counted], _began, _clock.Now)))
            _counted++;
    }

    /// <returns>False: there is no room now.</returns>
    private bool Put(ReadOnlySpan<byte> block)
    {
        if (_filled + block.Length > _output.Length)
            return false;
        block.CopyTo(_output.AsSpan(_filled));
        _filled += block.Length;
        return true;
    }

    private async Task<object> WriteAsync(ReadOnlyMemory<byte> part)
    {
        await _start.Output.WriteAsync(part).ConfigureAwait(false);
        await _start.Output.FlushAsync().ConfigureAwait(false);
        return Written.Instance;
    }

    /// <summary>Waits for the reader to close; whatever it sends means nothing.</summary>
    private void WatchReader()
    {
        ReadAsync(_start.Output, _probe).PipeTo(Self, failure: static _ => ReaderGone.Instance);

        static async Task<object> ReadAsync(Stream stream, byte[] probe)
        {
            while (await stream.ReadAsync(probe).ConfigureAwait(false) > 0)
            {
            }

            return ReaderGone.Instance;
        }
    }

    private void GiveUp(NotWritten failure)
    {
        // A reader that has gone has seen what it wanted; a file that is full is somebody's trouble.
        if (_start.HasReader)
            _log.Debug("The reader of the capture to {Name} has gone: {Reason}", _start.Name, failure.Cause.Message);
        else
            _log.Warning("The capture to {Name} ends, since it cannot be written: {Reason}", _start.Name, failure.Cause.Message.Split(" : ")[0].TrimEnd('.'));
        // The driver has everybody leave.
        Context.Stop(Self);
    }

    private sealed class Written : IDeadLetterSuppression
    {
        public static readonly Written Instance = new();
    }

    private sealed record NotWritten(Exception Cause) : IDeadLetterSuppression;

    private sealed class ReaderGone : IDeadLetterSuppression
    {
        public static readonly ReaderGone Instance = new();
    }
}
