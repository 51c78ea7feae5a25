using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;

namespace Tapwire;

/// <summary>Reads a connection without copying: the sequence that it gives lies in the buffers that came from the wire. They go back to the pool as they are consumed, and the window opens by what was
/// examined.</summary>
internal sealed class DriverPipeReader(ReceiveSide receiving) : PipeReader
{
    // Segments that are used again.
    private readonly Stack<Segment> _spare = new();
    private Segment? _first;
    private Segment? _last;
    private int _firstIndex;

    // Positions in the stream, in bytes: of the first byte that is not consumed, of the end of what was given, and of what was examined.
    private long _start;
    private long _end;
    private long _examined;
    private bool _isCompleted;
    private volatile bool _isCanceled;

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result)
    {
        ThrowIfCompleted();
        Pull();
        if (!_isCanceled && _end == _examined && !receiving.IsAtEnd)
        {
            result = default;
            return false;
        }

        result = Result();
        return true;
    }

    /// <inheritdoc/>
    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<ReadResult>(cancellationToken);
        return TryRead(out var result) ? ValueTask.FromResult(result) : WaitAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        ThrowIfCompleted();
        if (consumed.GetObject() is not Segment to || examined.GetObject() is not Segment seen)
            return; // of an empty sequence
        var examinedTo = seen.RunningIndex + examined.GetInteger();
        var consumedTo = to.RunningIndex + consumed.GetInteger();
        ArgumentOutOfRangeException.ThrowIfLessThan(examinedTo, consumedTo, nameof(examined));
        ArgumentOutOfRangeException.ThrowIfLessThan(consumedTo, _start, nameof(consumed));
        while (_first is { } first && first.RunningIndex + first.Memory.Length <= consumedTo)
        {
            _first = (Segment?)first.Next;
            Forget(first);
        }

        if (_first is null)
            _last = null;
        _start = consumedTo;
        _firstIndex = _first is null ? 0 : (int)(consumedTo - _first.RunningIndex);
        if (examinedTo <= _examined)
            return;
        receiving.Consumed((int)(examinedTo - _examined));
        _examined = examinedTo;
    }

    /// <inheritdoc/>
    public override void CancelPendingRead()
    {
        _isCanceled = true;
        receiving.Wake();
    }

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null)
    {
        if (_isCompleted)
            return;
        _isCompleted = true;
        while (_first is { } first)
        {
            _first = (Segment?)first.Next;
            Forget(first);
        }

        _last = null;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await receiving.ReadAsync(Memory<byte>.Empty, cancellationToken).ConfigureAwait(false);
            if (TryRead(out var result))
                return result;
        }
    }

    private ReadResult Result()
    {
        var isCanceled = _isCanceled;
        _isCanceled = false;
        var sequence = _first is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(_first, _firstIndex, _last!, _last!.Memory.Length);
        if (sequence.IsEmpty && !isCanceled)
            receiving.ThrowIfFailed();
        return new ReadResult(sequence, isCanceled, receiving.IsAtEnd);
    }

    /// <summary>Appends what has arrived.</summary>
    private void Pull()
    {
        for (var buffer = receiving.TakeAll(); buffer is not null;)
        {
            var next = buffer.Next;
            buffer.Next = null;
            var before = _last;
            if (buffer.Length > 0)
                Append(buffer.Memory);
            for (var i = 0; i < buffer.FragmentCount; i++)
                Append(buffer.GetFragmentMemory(i));
            if (_last is null || _last == before)
                buffer.Release();
            else
                _last.Owner = buffer;
            buffer = next;
        }
    }

    private void Append(ReadOnlyMemory<byte> memory)
    {
        var segment = _spare.TryPop(out var spare) ? spare : new Segment();
        segment.Begin(memory, _end);
        _end += memory.Length;
        if (_last is null)
            _first = segment;
        else
            _last.Append(segment);
        _last = segment;
    }

    private void Forget(Segment segment)
    {
        segment.Owner?.Release();
        segment.Clear();
        if (_spare.Count < 32)
            _spare.Push(segment);
    }

    private void ThrowIfCompleted()
    {
        if (_isCompleted)
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
    }

    /// <summary>A piece of a buffer's memory.</summary>
    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        /// <summary>With the last piece of a buffer: what is to be released with it.</summary>
        public PacketBuffer? Owner { get; set; }

        public void Begin(ReadOnlyMemory<byte> memory, long at) => (Memory, RunningIndex) = (memory, at);

        public void Append(Segment next) => Next = next;

        public void Clear() => (Memory, Next, Owner) = (default, null, null);
    }
}
