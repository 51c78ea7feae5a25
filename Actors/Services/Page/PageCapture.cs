namespace Tapwire.Actors.Services.Page;

/// <summary>
/// The memory of a capture that the live page has begun: what the capture's writer puts in, the page's actor gives out. When it is full it tells the writer that its reader has gone, by the end of its read half, and
/// the capture ends. Used on two threads, by each under the lock.
/// </summary>
/// <param name="limit">Bytes that are kept.</param>
internal sealed class PageCapture(int limit) : Stream
{
    private const int PieceSize = 64 << 10;

    private readonly Lock _lock = new();
    private readonly List<byte[]> _pieces = [];
    private readonly TaskCompletionSource<int> _reader = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _length;
    private bool _isFull;
    private bool _hasEnded;

    /// <summary>Bytes kept so far.</summary>
    public override long Length
    {
        get
        {
            lock (_lock)
                return _length;
        }
    }

    public int Limit => limit;

    /// <summary>Something has not been kept.</summary>
    public bool IsFull
    {
        get
        {
            lock (_lock)
                return _isFull;
        }
    }

    /// <summary>The writer has closed it: nothing more will come.</summary>
    public bool HasEnded
    {
        get
        {
            lock (_lock)
                return _hasEnded;
        }
    }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Has the writer end: it writes what it has, and closes.</summary>
    public void Stop() => _reader.TrySetResult(0);

    /// <summary>What is here, which nobody changes any more: always whole blocks of the file.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Content()
    {
        lock (_lock)
        {
            var left = _length;
            var parts = new List<ReadOnlyMemory<byte>>(_pieces.Count);
            foreach (var piece in _pieces)
            {
                parts.Add(piece.AsMemory(0, (int)Math.Min(left, PieceSize)));
                left -= PieceSize;
            }

            return parts;
        }
    }

    /// <summary>Keeps whole blocks, or nothing of them.</summary>
    public override void Write(ReadOnlySpan<byte> blocks)
    {
        lock (_lock)
        {
            if (_isFull || _length + blocks.Length > limit)
            {
                _isFull = true;
                Stop();
                return;
            }

            while (blocks.Length > 0)
            {
                var at = (int)(_length % PieceSize);
                if (at == 0)
                    _pieces.Add(new byte[PieceSize]);
                var some = Math.Min(blocks.Length, PieceSize - at);
                blocks[..some].CopyTo(_pieces[^1].AsSpan(at));
                blocks = blocks[some..];
                _length += some;
            }
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    /// <summary>Ends with <see cref="Stop"/>.</summary>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(_reader.Task.WaitAsync(cancellationToken));

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override void Dispose(bool disposing)
    {
        Stop();
        lock (_lock)
            _hasEnded = true;
        base.Dispose(disposing);
    }
}
