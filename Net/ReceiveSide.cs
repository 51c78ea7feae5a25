using System.Diagnostics;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire;

/// <summary>
/// The peer's bytes on their way to the program. The stack's thread hangs chains of buffers in; the reader takes all that is there at once, and copies it without the lock. The stack hears of what
/// was taken in lots, so that a program which reads little by little does not wake the stack's thread for each.
/// </summary>
/// <remarks>One read at a time. Nothing is allocated for a read, whether it waits or not.</remarks>
internal sealed class ReceiveSide(StreamSocket socket) : IValueTaskSource<int>
{
    /// <summary>Bytes that are taken before the stack is told, unless the receive buffer is small.</summary>
    private const int Lot = 32 << 10;

    // Not readonly: it is a struct that changes.
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    // Under the gate: what has arrived.
    private PacketBuffer? _head;
    private PacketBuffer? _tail;
    private bool _isBusy;
    private bool _isWaiting;
    private bool _isShut;
    private StackError _failure;
    private SocketException? _abandoned;

    // Made when it is asked for.
    private CancellationTokenSource? _end;

    // The reader's own.
    private PacketBuffer? _current;
    private int _taken;
    private int _untold;
    private Memory<byte> _destination;
    private CancellationTokenRegistration _cancelling;
    private volatile int _lot = Lot;

    /// <summary>The peer has sent its last byte.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Why the connection has ended, if it was not in order.</summary>
    public StackError Failure => _failure;

    /// <summary>The program has not read all that has arrived. Under the gate.</summary>
    public bool HasUnread => _head is not null || _current is not null;

    /// <summary>Cancelled when nothing more will come.</summary>
    public CancellationToken EndToken
    {
        get
        {
            lock (socket.Gate)
            {
                if (HasEnded || _failure != StackError.None || _abandoned is not null)
                    return new CancellationToken(canceled: true);
                return (_end ??= new CancellationTokenSource()).Token;
            }
        }
    }

    /// <summary>Nothing more will come, and all that has come is with the reader.</summary>
    public bool IsAtEnd
    {
        get
        {
            lock (socket.Gate)
                return _head is null && IsReady();
        }
    }

    public void SetLot(int receiveBuffer) => _lot = Math.Clamp(receiveBuffer / 4, 1, Lot);

    /// <summary>Reads what is there, or waits for it.</summary>
    /// <exception cref="InvalidOperationException">Another read is under way.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        bool waits;
        lock (socket.Gate)
        {
            ObjectDisposedException.ThrowIf(socket.IsDisposed, typeof(TapwireStream));
            if (_isBusy)
                throw new InvalidOperationException("Another read of this stream is under way.");
            _isBusy = true;
            waits = !IsReady();
            if (waits)
            {
                _core.Reset();
                _destination = destination;
                _isWaiting = true;
            }
        }

        if (waits)
        {
            var waiting = new ValueTask<int>(this, _core.Version);
            if (cancellationToken.CanBeCanceled)
                _cancelling = cancellationToken.UnsafeRegister(static (self, token) => ((ReceiveSide)self!).Cancel(token), this);
            return waiting;
        }

        try
        {
            return ValueTask.FromResult(Take(destination.Span));
        }
        catch (IOException e)
        {
            return ValueTask.FromException<int>(e);
        }
    }

    /// <summary>For a reader without copies: all that has arrived, which is the caller's from now on. It says <see cref="Consumed"/> of the bytes.</summary>
    public PacketBuffer? TakeAll()
    {
        lock (socket.Gate)
        {
            var all = _head;
            _head = _tail = null;
            return all;
        }
    }

    /// <summary>Has a read that waits return without bytes.</summary>
    public void Wake()
    {
        lock (socket.Gate)
        {
            if (!_isWaiting)
                return;
            _isWaiting = false;
        }

        _core.SetResult(true);
    }

    /// <summary>Bytes in order, or the end of the stream. On the stack's thread.</summary>
    public void Arrive(ReadReady ready)
    {
        bool wakes;
        lock (socket.Gate)
        {
            HasEnded |= ready.EndOfStream;
            if (socket.IsDisposed || _abandoned is not null)
                ready.Release();
            else if (ready.Chain is { } chain)
                Append(chain);
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
        if (ready.EndOfStream)
            TellEnd();
    }

    /// <summary>The connection has ended; what has arrived can still be read.</summary>
    public void End(StackError reason)
    {
        bool wakes;
        lock (socket.Gate)
        {
            HasEnded |= reason == StackError.None;
            if (_failure == StackError.None)
                _failure = reason;
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
        TellEnd();
    }

    /// <summary>The program receives no more: reads find the end of the stream.</summary>
    public void Finish()
    {
        bool wakes;
        lock (socket.Gate)
        {
            _isShut = true;
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
    }

    /// <summary>The stream is disposed, or the network has ended: nothing that has arrived will be read.</summary>
    public void Abandon(SocketException reason)
    {
        bool wakes;
        PacketBuffer? rest;
        lock (socket.Gate)
        {
            _abandoned ??= reason;
            rest = _head;
            _head = _tail = null;
            wakes = TakeWaiter();
            if (!_isBusy)
                ReleaseCurrent();
        }

        PacketBuffer.ReleaseChain(rest);
        if (wakes)
            _core.SetResult(true);
        TellEnd();
    }

    int IValueTaskSource<int>.GetResult(short token)
    {
        _cancelling.Dispose();
        _cancelling = default;
        var destination = _destination;
        _destination = default;
        try
        {
            _core.GetResult(token);
        }
        catch
        {
            Leave();
            throw;
        }

        return Take(destination.Span);
    }

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    /// <summary>Its callbacks are the program's: they do not run on the stack's thread.</summary>
    private void TellEnd()
    {
        CancellationTokenSource? end;
        lock (socket.Gate)
            (end, _end) = (_end, null);
        if (end is not null)
            ThreadPool.UnsafeQueueUserWorkItem(static end => end.Cancel(), end, preferLocal: false);
    }

    private bool IsReady() => HasUnread || HasEnded || _isShut || _failure != StackError.None || _abandoned is not null;

    /// <summary>True: a reader waits, and the caller is to wake it. Under the gate.</summary>
    private bool TakeWaiter()
    {
        var waits = _isWaiting && IsReady();
        _isWaiting &= !waits;
        return waits;
    }

    private void Cancel(CancellationToken token)
    {
        lock (socket.Gate)
        {
            if (!_isWaiting)
                return;
            _isWaiting = false;
        }

        _core.SetException(new OperationCanceledException(token));
    }

    private void Append(PacketBuffer chain)
    {
        if (_tail is null)
            _head = chain;
        else
            _tail.Next = chain;
        while (chain.Next is { } next)
            chain = next;
        _tail = chain;
    }

    /// <summary>Copies what there is, and ends the read.</summary>
    private int Take(Span<byte> destination)
    {
        var count = 0;
        try
        {
            while (destination.Length > 0 && TryCurrent())
            {
                var copied = PacketBytes.Copy(_current!, _taken, destination);
                destination = destination[copied..];
                count += copied;
                _taken += copied;
                if (_taken == _current!.TotalLength)
                    Advance();
            }

            if (count == 0)
                ThrowIfFailed();
            return count;
        }
        finally
        {
            Consumed(count);
            Leave();
        }
    }

    /// <summary>The reader has the first buffer. It takes all that has arrived in one go.</summary>
    private bool TryCurrent()
    {
        if (_current is not null)
            return true;
        lock (socket.Gate)
        {
            _current = _head;
            _head = _tail = null;
        }

        return _current is not null;
    }

    private void Advance()
    {
        var next = _current!.Next;
        _current.Next = null;
        _current.Release();
        _current = next;
        _taken = 0;
    }

    /// <exception cref="IOException">The connection has failed, and all that came before has been read.</exception>
    public void ThrowIfFailed()
    {
        lock (socket.Gate)
        {
            if (_abandoned is { } reason)
                throw DriverStream.FailedBy(SocketRef.Again(reason));
            if (!HasUnread && !HasEnded && !_isShut && _failure != StackError.None)
                throw DriverStream.FailedBy(SocketRef.ExceptionOf(_failure));
        }
    }

    /// <summary>The program has taken bytes: the stack opens the window by them, in lots.</summary>
    public void Consumed(int bytes)
    {
        if (bytes == 0)
            return;
        socket.NoteReceived(bytes);
        if (Interlocked.Add(ref _untold, bytes) >= _lot)
            TellConsumed();
    }

    /// <summary>Has the stack know of all that the program has taken. It does not wait for a full lot before a close: what the stack is not told of is unread, and that is a reset.</summary>
    public void TellConsumed()
    {
        if (Interlocked.Exchange(ref _untold, 0) is > 0 and var told)
            socket.Stack.Tell(ReadDone.Of(socket.Id, told), socket);
    }

    /// <summary>The read has ended. What a dispose has left to it is released.</summary>
    private void Leave()
    {
        lock (socket.Gate)
        {
            Debug.Assert(_isBusy);
            _isBusy = false;
            if (_abandoned is not null)
                ReleaseCurrent();
        }
    }

    private void ReleaseCurrent()
    {
        PacketBuffer.ReleaseChain(_current);
        _current = null;
        _taken = 0;
    }
}
