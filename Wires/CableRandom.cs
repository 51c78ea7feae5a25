namespace Tapwire.Wires;

/// <summary>SplitMix64: a small generator whose sequence does not depend on the version of the runtime.</summary>
internal struct CableRandom(ulong seed)
{
    private ulong _state = seed;

    public ulong Next()
    {
        _state += 0x9E37_79B9_7F4A_7C15;
        var z = _state;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>0..<paramref name="bound"/> - 1.</summary>
    public int Next(int bound) => (int)(((UInt128)Next() * (ulong)bound) >> 64);

    /// <summary>0 (included) to 1 (excluded).</summary>
    public double NextShare() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>True with a probability. An impossible event draws no number.</summary>
    public bool Hits(double share) => share > 0 && NextShare() < share;
}
