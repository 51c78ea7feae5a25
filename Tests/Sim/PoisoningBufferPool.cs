using Tapwire.Stack.Buffers;

namespace Tapwire.Tests.Sim;

/// <summary>
/// A pool for long simulations: as strict as the diagnosing pool about leaks and double returns, but it uses buffers again, and looks for writes to
/// returned ones when it does.
/// </summary>
internal sealed class PoisoningBufferPool : BufferPool
{
    private const byte Poison = 0xD5;

    private readonly HashSet<PacketBuffer> _returned = [];
    private readonly HashSet<PacketBuffer> _out = [];

    /// <summary>Of large buffers only so much is poisoned at either end.</summary>
    private const int Watched = 512;

    public void AssertAllReturned()
    {
        if (_out.Count > 0)
            throw new InvalidOperationException($"{_out.Count} buffers were not returned.");
    }

    protected override void OnRented(PacketBuffer buffer)
    {
        if (_returned.Remove(buffer) && !IsPoisoned(MemoryOf(buffer)))
            throw new InvalidOperationException("A buffer was written after it had been returned.");
        if (!_out.Add(buffer))
            throw new InvalidOperationException("A buffer was rented twice.");
    }

    protected override bool OnReturned(PacketBuffer buffer)
    {
        if (!_out.Remove(buffer))
            throw new InvalidOperationException("A buffer was returned that is not rented.");
        var memory = MemoryOf(buffer);
        memory[..Math.Min(Watched, memory.Length)].Fill(Poison);
        memory[^Math.Min(Watched, memory.Length)..].Fill(Poison);
        _returned.Add(buffer);
        return true;
    }

    private static bool IsPoisoned(ReadOnlySpan<byte> memory) =>
        !memory[..Math.Min(Watched, memory.Length)].ContainsAnyExcept(Poison)
        && !memory[^Math.Min(Watched, memory.Length)..].ContainsAnyExcept(Poison);
}
