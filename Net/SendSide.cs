using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;

namespace Tapwire;

/// <summary>
/// The program's bytes on their way to the stack: copied once, into the buffers that go on the wire, as far as the stack has room. Without room a write waits.
/// </summary>
/// <remarks>One write at a time. Nothing is allocated for a write, whether it waits or not.</remarks>
internal sealed class SendSide(StreamSocket socket) : IValueTaskSource
{
    // Not readonly: it is a struct that changes.
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };

    // Under the gate.
    private int _room;
    private bool _isBusy;
    private bool _isWaiting;
    private bool _isFinished;
    private StackError _failure;
    private SocketException? _abandoned;

    // The writer's own.
    private CancellationTokenRegistration _cancelling;

    /// <summary>Writes all of it, and completes when the stack has it.</summary>
    /// <exception cref="InvalidOperationException">Another write is under way.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled(cancellationToken);
        Enter();
        var isDone = false;
        try
        {
            while (TakeRoom(source.Length) is > 0 and var room)
            {
                Send(source.Span[..room]);
                source = source[room..];
            }

            isDone = source.IsEmpty;
            if (isDone)
                return ValueTask.CompletedTask;
        }
        catch (IOException e)
        {
            isDone = true;
            return ValueTask.FromException(e);
        }
        finally
        {
            if (isDone)
                Leave();
        }

        return WriteRestAsync(source, cancellationToken);
    }

    /// <summary>What is sent still reaches the peer, as far as is known.</summary>
    public bool IsOpen
    {
        get
        {
            lock (socket.Gate)
                return !_isFinished && _failure == StackError.None && _abandoned is null;
        }
    }

    /// <summary>Has a write that waits look again.</summary>
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

    /// <summary>Sends a buffer, which is the stack's from now on, within room that was taken.</summary>
    public void Send(PacketBuffer buffer)
    {
        socket.NoteSent(buffer.Length);
        socket.Stack.Tell(WriteRequest.Of(socket.Id, buffer), socket);
    }

    /// <summary>The stack has room for more. On its thread.</summary>
    public void Grant(int bytes)
    {
        bool wakes;
        lock (socket.Gate)
        {
            _room += bytes;
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
    }

    /// <summary>The program sends no more. Under the gate.</summary>
    /// <returns>False: it has said so before.</returns>
    public bool Finish()
    {
        var isFirst = !_isFinished;
        _isFinished = true;
        return isFirst;
    }

    /// <summary>The connection has ended: nothing more can be sent.</summary>
    public void End(StackError reason)
    {
        bool wakes;
        lock (socket.Gate)
        {
            if (_failure == StackError.None)
                _failure = reason;
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
    }

    /// <summary>The stream is disposed, or the network has ended.</summary>
    public void Abandon(SocketException reason)
    {
        bool wakes;
        lock (socket.Gate)
        {
            _abandoned ??= reason;
            wakes = TakeWaiter();
        }

        if (wakes)
            _core.SetResult(true);
    }

    void IValueTaskSource.GetResult(short token)
    {
        _cancelling.Dispose();
        _cancelling = default;
        _core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask WriteRestAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken)
    {
        try
        {
            while (!source.IsEmpty)
            {
                var room = TakeRoom(source.Length);
                if (room == 0)
                {
                    await RoomAsync(cancellationToken).ConfigureAwait(false);
                    continue;
                }

                Send(source.Span[..room]);
                source = source[room..];
            }
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Completes when there is room, or an error to be told.</summary>
    public ValueTask RoomAsync(CancellationToken cancellationToken)
    {
        lock (socket.Gate)
        {
            if (IsReady)
                return ValueTask.CompletedTask;
            _core.Reset();
            _isWaiting = true;
        }

        var waiting = new ValueTask(this, _core.Version);
        if (cancellationToken.CanBeCanceled)
            _cancelling = cancellationToken.UnsafeRegister(static (self, token) => ((SendSide)self!).Cancel(token), this);
        return waiting;
    }

    private bool IsReady => _room > 0 || _isFinished || _failure != StackError.None || _abandoned is not null;

    private bool TakeWaiter()
    {
        var waits = _isWaiting && IsReady;
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

    private void Enter()
    {
        lock (socket.Gate)
        {
            ObjectDisposedException.ThrowIf(socket.IsDisposed, typeof(TapwireStream));
            if (_isBusy)
                throw new InvalidOperationException("Another write of this stream is under way.");
            _isBusy = true;
        }
    }

    private void Leave()
    {
        lock (socket.Gate)
            _isBusy = false;
    }

    /// <summary>Takes room for so many bytes, or for fewer.</summary>
    /// <exception cref="IOException">Nothing can be sent any more.</exception>
    public int TakeRoom(int wanted)
    {
        lock (socket.Gate)
        {
            if (_abandoned is { } reason)
                throw DriverStream.FailedBy(SocketRef.Again(reason));
            if (_failure != StackError.None)
                throw DriverStream.FailedBy(SocketRef.ExceptionOf(_failure));
            if (_isFinished)
                throw DriverStream.FailedBy(new SocketException((int)SocketError.Shutdown));
            var taken = Math.Min(wanted, _room);
            _room -= taken;
            return taken;
        }
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var part = bytes[..Math.Min(bytes.Length, StreamEnd.MaxRead)];
            Send(socket.Pool.RentCopy(part));
            bytes = bytes[part.Length..];
        }
    }
}
