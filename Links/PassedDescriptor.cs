using Tapwire.Posix;

namespace Tapwire.Links;

/// <summary>A descriptor that a client has passed to the driver. Its holder disposes it, or takes the descriptor out.</summary>
public sealed class PassedDescriptor : IDisposable
{
    private int _descriptor;

    internal PassedDescriptor(int descriptor) => _descriptor = descriptor;

    /// <summary>Gives the descriptor to code in this process, which closes it.</summary>
    /// <exception cref="ObjectDisposedException">It has been taken or closed.</exception>
    public int Take()
    {
        var descriptor = Interlocked.Exchange(ref _descriptor, -1);
        ObjectDisposedException.ThrowIf(descriptor < 0, this);
        return descriptor;
    }

    public void Dispose()
    {
        var descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0)
            Libc.Close(descriptor);
    }
}
