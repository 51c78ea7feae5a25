using Xunit;
using System.Runtime.CompilerServices;
using Tapwire.Stack.Buffers;

namespace Tapwire.Tests.Support;

/// <summary>
/// A pool for specs that finds leaks, double returns and writes to returned buffers. A returned buffer is filled with a pattern, set aside for a
/// while, and looked at again before its memory is forgotten; no buffer is used twice, so that a late write always shows.
/// </summary>
public sealed class DiagnosingBufferPool : BufferPool
{
    private const byte Fill = 0xD5;

    private readonly Lock _lock = new();
    private readonly ConditionalWeakTable<PacketBuffer, string> _out = [];
    private readonly Queue<PacketBuffer> _quarantine = new();
    private readonly int _quarantined;
    private readonly bool _traces;

    /// <param name="quarantined">How many returned buffers are watched for late writes.</param>
    /// <param name="traces">Remembers the stack trace of every rent, to say where a leaked buffer came from. Slow.</param>
    public DiagnosingBufferPool(int quarantined = 256, bool traces = false)
        : base(retainedBytes: 1)
    {
        _quarantined = quarantined;
        _traces = traces;
    }

    /// <summary>As where there is no memory: whoever rents gets the runtime's exception.</summary>
    public bool IsExhausted { get; set; }

    protected override void OnRented(PacketBuffer buffer)
    {
        if (IsExhausted)
            throw new OutOfMemoryException("A refusal on purpose.");

        // Whoever reads a byte that it has not written shall notice.
        MemoryOf(buffer).Fill(0xA5);
        lock (_lock)
            _out.Add(buffer, _traces ? Environment.StackTrace : "");
    }

    protected override bool OnReturned(PacketBuffer buffer)
    {
        lock (_lock)
        {
            if (!_out.Remove(buffer))
                throw new InvalidOperationException("A buffer was returned that is not rented.");
            MemoryOf(buffer).Fill(Fill);
            _quarantine.Enqueue(buffer);
            if (_quarantine.Count > _quarantined)
                Inspect(_quarantine.Dequeue());
        }

        return false;
    }

    /// <summary>Fails if a buffer has not come back, or was written after it had come back.</summary>
    public void AssertAllReturned()
    {
        lock (_lock)
        {
            while (_quarantine.TryDequeue(out var buffer))
                Inspect(buffer);
            if (Rented == 0)
                return;
            var origin = _traces ? string.Join(Environment.NewLine, _out.Select(pair => pair.Value).Distinct().Take(3)) : "";
            Assert.Fail($"{Rented} buffers were not returned. {origin}");
        }
    }

    private static void Inspect(PacketBuffer buffer)
    {
        if (MemoryOf(buffer).ContainsAnyExcept(Fill))
            throw new InvalidOperationException("A buffer was written after it had been returned.");
    }
}
