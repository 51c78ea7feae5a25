namespace Tapwire.Wires;

/// <summary>
/// Decides which frames are lost: each independently; or in bursts, by Gilbert's model with a good state that loses nothing and a bad one that loses
/// everything, with a probability for each change of state. In tc-netem(8)'s terms: "loss gemodel P R", with the share P / (P + R) and bursts of 1 / R frames.
/// </summary>
internal struct CableLoss
{
    private readonly double _share;
    private readonly double _toBad;
    private readonly double _toGood;
    private CableRandom _random;
    private bool _bad;

    public CableLoss(CableImpairments impairments, ulong seed)
        : this(impairments, new CableRandom(seed))
    {
    }

    private CableLoss(CableImpairments impairments, CableRandom random)
    {
        _random = random;
        _share = impairments.Loss;
        if (impairments.LossBurst == 0)
            return;
        _toGood = 1 / impairments.LossBurst;
        _toBad = _toGood * impairments.Loss / (1 - impairments.Loss);
    }

    /// <summary>The same sequence of numbers, by which other impairments decide from now on.</summary>
    public readonly CableLoss With(CableImpairments impairments) => new(impairments, _random) { _bad = _bad };

    /// <summary>Decides about the next frame.</summary>
    public bool Hits()
    {
        if (_toGood == 0)
            return _random.Hits(_share);
        _bad = _bad ? !_random.Hits(_toGood) : _random.Hits(_toBad);
        return _bad;
    }
}
