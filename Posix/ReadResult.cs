namespace Tapwire.Posix;

/// <summary>The outcome of a read from an application, or from a client.</summary>
public enum ReadResult
{
    /// <summary>Bytes. There may be more.</summary>
    Data,

    /// <summary>Nothing now: the reactor reports when there is something.</summary>
    Empty,

    /// <summary>The application has sent its last byte (shutdown of its sending side) and still reads.</summary>
    EndOfStream,

    /// <summary>Both directions are over and all the application's bytes have been read: it has closed its last descriptor or shut down both
    /// directions, or each side has ended its own.</summary>
    Closed,

    /// <summary>The application has closed, or died, with bytes unread: they are lost, so the connection is to be reset.</summary>
    Reset,
}
