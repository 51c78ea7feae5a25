namespace Tapwire.Stack.Tcp;

/// <summary>Congestion control algorithms. <see cref="CongestionAlgorithms"/> has their names in settings and TCP_CONGESTION.</summary>
public enum CongestionAlgorithm : byte
{
    /// <summary>The stack's default.</summary>
    Default,

    /// <summary>"cubic": RFC 9438.</summary>
    Cubic,

    /// <summary>"bbr": draft-ietf-ccwg-bbr.</summary>
    Bbr,

    /// <summary>"reno": RFC 5681.</summary>
    NewReno,
}

/// <summary>Linux's names of the congestion control algorithms.</summary>
public static class CongestionAlgorithms
{
    public static IReadOnlyDictionary<string, CongestionAlgorithm> ByName { get; } = new Dictionary<string, CongestionAlgorithm>
    {
        ["cubic"] = CongestionAlgorithm.Cubic,
        ["bbr"] = CongestionAlgorithm.Bbr,
        ["reno"] = CongestionAlgorithm.NewReno,
    };

    public static bool TryParse(string name, out CongestionAlgorithm algorithm) => ByName.TryGetValue(name, out algorithm);

    /// <summary>The name; empty for <see cref="CongestionAlgorithm.Default"/>.</summary>
    public static string NameOf(CongestionAlgorithm algorithm) => algorithm switch
    {
        CongestionAlgorithm.Cubic => "cubic",
        CongestionAlgorithm.Bbr => "bbr",
        CongestionAlgorithm.NewReno => "reno",
        _ => "",
    };
}
