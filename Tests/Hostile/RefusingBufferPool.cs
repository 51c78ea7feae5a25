using Tapwire.Stack.Buffers;

namespace Tapwire.Tests.Hostile;

/// <summary>A pool of a machine that now and then has no memory: renting throws what the runtime would.</summary>
internal sealed class RefusingBufferPool(ulong seed) : BufferPool
{
    private readonly SeededRandom _random = new(seed);

    /// <summary>One of so many rents fails; 0: none.</summary>
    public int OneIn { get; set; }

    public long Refused { get; private set; }

    protected override void OnRented(PacketBuffer buffer)
    {
        if (OneIn == 0 || !_random.OneIn(OneIn))
            return;
        Refused++;
        throw new OutOfMemoryException("A refusal on purpose.");
    }
}
