using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;

namespace Tapwire;

/// <summary>Writes a connection without copying: the memory that it gives is that of the buffers which go to the stack.</summary>
internal sealed class DriverPipeWriter(StreamSocket socket) : PipeWriter
{
    /// <summary>The first buffer of a flush is small, as most answers are; further ones are large.</summary>
    private const int First = 2048;
    private const int Further = 16384;

    private PacketBuffer? _head;
    private PacketBuffer? _tail;

    // For more than any buffer holds; copied when it is full.
    private byte[]? _large;
    private long _unflushed;
    private bool _isCompleted;
    private volatile bool _isCanceled;

    /// <summary>Completes when what was written before <see cref="Complete"/> is with the stack.</summary>
    public Task Finished { get; private set; } = Task.CompletedTask;

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => _unflushed;

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (_isCompleted)
            throw new InvalidOperationException("Writing is not allowed after the writer was completed.");
        if (sizeHint > BufferPool.MaxCapacity)
            return _large = new byte[sizeHint];
        _large = null;
        if (_tail is null || _tail.Tailroom < Math.Max(sizeHint, 1))
            Add(socket.Pool.Rent(Math.Max(sizeHint, _tail is null ? First : Further)));
        return _tail!.FreeMemory;
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes == 0)
            return;
        if (_large is { } large)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, large.Length);
            for (var rest = large.AsSpan(0, bytes); !rest.IsEmpty;)
            {
                var part = rest[..Math.Min(rest.Length, Further)];
                Add(socket.Pool.RentCopy(part));
                rest = rest[part.Length..];
            }

            _large = null;
        }
        else
        {
            if (_tail is null)
                throw new InvalidOperationException("No memory was asked for.");
            _tail.Append(bytes);
        }

        _unflushed += bytes;
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        if (_unflushed == 0)
            return ValueTask.FromResult(new FlushResult(TakeCanceled(), !socket.Sending.IsOpen));
        return SendAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        for (var rest = source.Span; !rest.IsEmpty;)
        {
            var memory = GetSpan();
            var part = rest[..Math.Min(rest.Length, memory.Length)];
            part.CopyTo(memory);
            Advance(part.Length);
            rest = rest[part.Length..];
        }

        return FlushAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void CancelPendingFlush()
    {
        _isCanceled = true;
        socket.Sending.Wake();
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        if (_isCompleted)
            return;
        _isCompleted = true;
        Finished = exception is null ? FinishAsync() : AbortAsync();
    }

    /// <inheritdoc/>
    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        Complete(exception);
        await Finished.ConfigureAwait(false);
    }

    private Task AbortAsync()
    {
        Drop();
        socket.Dispose(abort: true);
        return Task.CompletedTask;
    }

    private async Task FinishAsync()
    {
        try
        {
            while (_unflushed > 0 && !(await SendAsync(CancellationToken.None).ConfigureAwait(false)).IsCompleted)
            {
            }

            Drop();
            socket.Shutdown(receive: false, send: true);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has ended before its sending direction.
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> SendAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (_head is { } buffer)
            {
                if (buffer.Length == 0)
                {
                    Next().Release();
                    continue;
                }

                var room = socket.Sending.TakeRoom(buffer.Length);
                if (room == buffer.Length)
                {
                    socket.Sending.Send(socket.Pool.Fit(Next()));
                }
                else if (room > 0)
                {
                    socket.Sending.Send(socket.Pool.RentCopy(buffer.Span[..room]));
                    buffer.TrimStart(room);
                }

                _unflushed -= room;
                if (room == 0)
                {
                    if (TakeCanceled())
                        return new FlushResult(isCanceled: true, isCompleted: false);
                    await socket.Sending.RoomAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (IOException)
        {
            // Nobody takes what is written any more; readers are told why.
            Drop();
            return new FlushResult(isCanceled: false, isCompleted: true);
        }

        return new FlushResult(TakeCanceled(), isCompleted: false);
    }

    private bool TakeCanceled()
    {
        var isCanceled = _isCanceled;
        _isCanceled = false;
        return isCanceled;
    }

    private void Add(PacketBuffer buffer)
    {
        if (_tail is null)
            _head = buffer;
        else
            _tail.Next = buffer;
        _tail = buffer;
    }

    private PacketBuffer Next()
    {
        var buffer = _head!;
        _head = buffer.Next;
        buffer.Next = null;
        if (_head is null)
            _tail = null;
        return buffer;
    }

    private void Drop()
    {
        PacketBuffer.ReleaseChain(_head);
        _head = _tail = null;
        _unflushed = 0;
    }
}
