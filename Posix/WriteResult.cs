namespace Tapwire.Posix;

/// <summary>What became of a write to the application.</summary>
public enum WriteResult
{
    /// <summary>Everything was taken.</summary>
    Done,

    /// <summary>The application has to read first: the reactor reports when there is room.</summary>
    Full,

    /// <summary>The application reads no more: it has closed, or shut down its receiving side.</summary>
    Closed,
}
