namespace Tapwire.Wires.WireGuard;

/// <summary>
/// Which counters have been received (RFC 6479): a ring of bits, so that moving the window clears whole words and shifts none. Counters up to <see cref="Size"/> behind the highest are told
/// apart; older ones count as received.
/// </summary>
internal sealed class ReplayWindow
{
    private const int WordBits = 64;
    private const int Words = 128;

    /// <summary>How far a packet may be behind the highest one: Linux's 8192 bits but for the word that is being filled.</summary>
    public const int Size = (Words - 1) * WordBits;

    private readonly ulong[] _bits = new ulong[Words];
    private ulong _next;

    /// <summary>The counter is new, and not too old. Changes nothing.</summary>
    public bool MayBeNew(ulong counter)
    {
        if (counter >= _next)
            return true;
        return _next - counter <= Size && (_bits[WordOf(counter)] & BitOf(counter)) == 0;
    }

    /// <summary>Marks a counter as received, after its packet has been found genuine.</summary>
    /// <returns>False: it had been received, or is too old.</returns>
    public bool TryAccept(ulong counter)
    {
        if (!MayBeNew(counter))
            return false;
        if (counter >= _next)
        {
            // The word of the highest counter so far has been cleared when the window entered it.
            var highest = _next == 0 ? 0 : (_next - 1) / WordBits;
            var steps = Math.Min(counter / WordBits - highest, Words);
            for (var i = 1UL; i <= steps; i++)
                _bits[(highest + i) % Words] = 0;
            _next = counter + 1;
        }

        _bits[WordOf(counter)] |= BitOf(counter);
        return true;
    }

    private static int WordOf(ulong counter) => (int)(counter / WordBits % Words);

    private static ulong BitOf(ulong counter) => 1UL << (int)(counter % WordBits);
}
