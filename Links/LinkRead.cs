namespace Tapwire.Links;

/// <summary>What a read from an application, or from a client, found.</summary>
public enum LinkRead
{
    /// <summary>Bytes. There may be more.</summary>
    Data,

    /// <summary>Nothing now: the reactor reports when there is.</summary>
    Empty,

    /// <summary>The application has sent its last byte (shutdown of its sending side) and still reads.</summary>
    EndOfStream,

    /// <summary>The application has closed its last descriptor, or shut down both directions, and all its bytes have been read.</summary>
    Closed,

    /// <summary>The application has closed, or died, with bytes unread: they are lost, so the connection is to be reset.</summary>
    Reset,
}
