namespace Tapwire.Posix;

/// <summary>The outcome of a write to an application, or to a client.</summary>
public enum WriteResult
{
    /// <summary>Everything was taken.</summary>
    Done,

    /// <summary>The application has to read first: the reactor reports when there is room.</summary>
    Full,

    /// <summary>The application reads no more: it has closed, or shut down its receiving side.</summary>
    Closed,
}
