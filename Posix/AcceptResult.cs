namespace Tapwire.Posix;

/// <summary>What came of taking a connection off a listening socket.</summary>
public enum AcceptResult
{
    /// <summary>None is waiting.</summary>
    None,

    /// <summary>It is the caller's.</summary>
    Accepted,

    /// <summary>Its client is not admitted, and it has been closed.</summary>
    Refused,

    /// <summary>There is no descriptor left for it, and it has been closed.</summary>
    Exhausted,
}
