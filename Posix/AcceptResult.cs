namespace Tapwire.Posix;

/// <summary>The outcome of accepting a connection.</summary>
public enum AcceptResult
{
    /// <summary>None is waiting.</summary>
    None,

    /// <summary>The connection is the caller's.</summary>
    Accepted,

    /// <summary>The client is not admitted: its connection has been closed.</summary>
    Refused,

    /// <summary>No descriptor is left: the connection has been closed.</summary>
    Exhausted,
}
