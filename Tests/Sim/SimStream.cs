using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>How an application behaves when its time has come.</summary>
internal enum SimEnding
{
    /// <summary>It does nothing: it sends everything, reads everything, and that is that.</summary>
    Orderly,

    /// <summary>It shuts its sending side down early, and goes on reading.</summary>
    HalfClose,

    StopReading,
    Close,
    Abort,
}

/// <summary>
/// An application at one end: writes a known stream of bytes in pieces of random size, and reads and checks the other end's. It does something only
/// after events and at times of its own: an event that is missing makes the simulation stand still.
/// </summary>
/// <param name="toReceive">Negative: what <see cref="Peer"/> has written when it shuts down.</param>
internal sealed class SimStream(SimHost host, TcpSocket socket, Random random, long toSend, long toReceive, byte ownSalt, byte peerSalt)
{
    private long _toSend = toSend;
    private long _written;
    private long _read;
    private int _unconsumed;
    private Instant _wakeAt = Instant.Never;
    private bool _dirty = true;
    private bool _endSeen;
    private bool _shutdown;
    private bool _readable;
    private bool _readStopped;

    public TcpSocket Socket => socket;

    public SimStream? Peer { get; set; }

    public bool Connected { get; set; }

    public int ClosedEvents { get; private set; }

    /// <summary>Largest piece written at once.</summary>
    public int MaxWrite { get; init; } = 20000;

    /// <summary>How likely the application is to read and consume at a chance it gets; it always does in the end.</summary>
    public double Eagerness { get; init; } = 1;

    /// <summary>What it does at <see cref="EndAt"/>.</summary>
    public SimEnding Ending { get; init; }

    public Instant EndAt { get; set; } = Instant.Never;

    /// <summary>From when on it reads nothing, and until when.</summary>
    public Instant PauseAt { get; init; } = Instant.Never;

    public Instant PauseEnd { get; init; } = Instant.Never;

    /// <summary>It shuts its sending side down only after the peer has.</summary>
    public bool EndsSecond { get; init; }

    /// <summary>Having read and written everything it closes the socket; otherwise it waits for the end.</summary>
    public bool ClosesAtEnd { get; init; }

    /// <summary>Told what the application does.</summary>
    public Action<SimStream, string>? Log { get; init; }

    public long Written => _written;

    public long BytesRead => _read;

    /// <summary>The application has let go of the socket.</summary>
    public bool Gone { get; private set; }

    /// <summary>Everything has gone as it should.</summary>
    public bool Finished => HasEverything && socket.Error == StackError.None;

    /// <summary>Everything has been written, read, and come to its end.</summary>
    public bool HasEverything => ClosedEvents == 1 && _endSeen && _read == Expected && _unconsumed == 0 && _written == _toSend;

    /// <summary>When it wants to act: at once if there was an event.</summary>
    public Instant WakeAt => _dirty ? Instant.Zero : _wakeAt;

    /// <summary>There is nothing that it would do by itself.</summary>
    public bool IsAtRest => Gone || WakeAt == Instant.Never;

    public string Report => $"written {_written}/{_toSend}, read {_read}/{Expected}, end {_endSeen}, {Ending} at {EndAt}, gone {Gone}, closed {ClosedEvents}, "
        + $"state {socket.State}, error {socket.Error}, una {socket.SndUna} nxt {socket.SndNxt} wnd {socket.Connection.Sender.SndWnd}, rcv {socket.Connection.Receiver.RcvNxt}, info {socket.Info}";

    private long Expected => toReceive >= 0 ? toReceive : Peer is { _shutdown: true } ? Peer._written : -1;

    public bool IsDue(Instant now) => WakeAt <= now;

    public void Handle(SocketEvents events)
    {
        _dirty = true;
        if (events.HasFlag(SocketEvents.Connected))
            Connected = true;
        if (events.HasFlag(SocketEvents.Closed) && ++ClosedEvents > 1)
            throw new InvalidOperationException("Closed came twice.");
        _readable |= events.HasFlag(SocketEvents.Readable);
    }

    /// <summary>Lets the application do what it can at this moment.</summary>
    public void Act(Instant now)
    {
        _dirty = false;
        _wakeAt = Instant.Never;
        if (Gone)
            return;
        if (EndAt <= now)
            MeetEnd(now);
        else if (ClosedEvents == 0)
            _wakeAt = EndAt;
        if (Gone)
            return;
        Write(now);
        if (now >= PauseAt && now < PauseEnd)
            _wakeAt = Instant.Min(_wakeAt, PauseEnd);
        else
            Read(now);
        if (_written == _toSend && Connected && !_shutdown && (!EndsSecond || _endSeen || _readStopped))
        {
            _shutdown = true;
            Log?.Invoke(this, "shuts down");
            socket.ShutdownSend(now);
        }

        if (ClosesAtEnd && _endSeen && _shutdown && _unconsumed == 0)
        {
            Gone = true;
            Log?.Invoke(this, "closes");
            socket.Close(now);
        }
    }

    public void Abort(Instant now)
    {
        Gone = true;
        Log?.Invoke(this, "aborts");
        socket.Abort(now);
    }

    private void MeetEnd(Instant now)
    {
        EndAt = Instant.Never;
        switch (Ending)
        {
            case SimEnding.HalfClose:
                Log?.Invoke(this, "shuts down early");
                _toSend = _written;
                _shutdown = true;
                socket.ShutdownSend(now);
                break;
            case SimEnding.StopReading:
                Log?.Invoke(this, "stops reading");
                _readStopped = true;
                socket.ShutdownReceive(now);
                break;
            case SimEnding.Close:
                Log?.Invoke(this, "closes early");
                Gone = true;
                _shutdown = true;
                socket.Close(now);
                break;
            case SimEnding.Abort:
                Abort(now);
                break;
        }
    }

    private void Write(Instant now)
    {
        socket.TakeAcknowledged();
        while (Connected && !_shutdown && _written < _toSend && socket.SendRoom > 0 && ClosedEvents == 0)
        {
            if (random.Next(10) == 0)
            {
                Again(now);
                return;
            }

            var count = (int)Math.Min(Math.Min(_toSend - _written, socket.SendRoom), random.Next(1, MaxWrite + 1));
            var buffer = host.Pool.Rent(count, random.Next(4) == 0 ? 40 : 0);
            SimPattern.Fill(buffer.Append(count), _written, ownSalt);
            var error = socket.Write(buffer, now);
            if (error == StackError.BrokenPipe && socket.State is TcpState.Closed)
                return;
            if (error != StackError.None)
                throw new InvalidOperationException($"Write says {error}.");
            _written += count;
        }
    }

    private void Again(Instant now) => _wakeAt = Instant.Min(_wakeAt, now + TimeSpan.FromMilliseconds(1));

    private void Read(Instant now)
    {
        if (_readStopped)
            return;
        if (_readable)
        {
            if (random.NextDouble() < Eagerness)
                Take();
            else
                Again(now);
        }

        if (_unconsumed == 0)
            return;
        if (random.NextDouble() < Eagerness)
        {
            var count = random.Next(1, _unconsumed + 1);
            _unconsumed -= count;
            socket.Consumed(count, now);
        }

        if (_unconsumed > 0)
            Again(now);
    }

    private void Take()
    {
        // Only what was announced is read.
        _readable = false;
        var chain = socket.Read(out var bytes, out var end);
        var counted = 0;
        try
        {
            for (var buffer = chain; buffer is not null; buffer = buffer.Next)
            {
                SimPattern.Check(buffer.Span, _read, peerSalt);
                _read += buffer.Length;
                counted += buffer.Length;
            }
        }
        finally
        {
            PacketBuffer.ReleaseChain(chain);
        }

        if (counted != bytes)
            throw new InvalidOperationException($"Read said {bytes} bytes and gave {counted}.");
        if (end && _endSeen)
            throw new InvalidOperationException("End of stream came twice.");
        if (_endSeen && bytes > 0)
            throw new InvalidOperationException("Bytes came after the end of the stream.");
        if (Peer is not null && _read > Peer._written)
            throw new InvalidOperationException($"{_read} bytes came of {Peer._written}.");
        _endSeen |= end;
        if (end && _read != Expected)
            throw new InvalidOperationException($"The stream ended after {_read} of {Expected} bytes.");
        _unconsumed += bytes;
    }
}
