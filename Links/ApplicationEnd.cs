using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>
/// The application's end of a pair, until it is passed to the application. Its holder disposes it. Passing it disposes it, too: the driver notices that the
/// application closes only if nobody else has a descriptor of that end.
/// </summary>
public sealed class ApplicationEnd : IDisposable
{
    private int _descriptor;

    internal ApplicationEnd(int descriptor)
    {
        _descriptor = descriptor;
        Handle = SocketPair.Cookie(descriptor);
    }

    /// <summary>SO_COOKIE of this end: the socket's name in requests. The kernel gives no number twice while it runs.</summary>
    public ulong Handle { get; }

    /// <summary>The open descriptor.</summary>
    /// <exception cref="ObjectDisposedException">It has been passed on or closed.</exception>
    public int Descriptor => _descriptor >= 0 ? _descriptor : throw new ObjectDisposedException(nameof(ApplicationEnd));

    /// <summary>Gives the descriptor to code in this process, which closes it.</summary>
    public int Take()
    {
        var descriptor = Interlocked.Exchange(ref _descriptor, -1);
        ObjectDisposedException.ThrowIf(descriptor < 0, this);
        return descriptor;
    }

    /// <summary>Sets an option of the descriptor itself. One that the kernel refuses is left as it was.</summary>
    public void SetOption(int name, ReadOnlySpan<byte> value) => SocketPair.TrySetOption(Descriptor, name, value);

    public void Dispose()
    {
        var descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0)
            Libc.Close(descriptor);
    }
}
