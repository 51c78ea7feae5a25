using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// Accepts connections of a listening socket. One for which there is no descriptor is closed: its client learns of it at once, instead of waiting in the backlog for a
/// descriptor that may never be free.
/// </summary>
/// <param name="admits">Whether a new descriptor may be kept.</param>
/// <param name="reportAnew">Has a waiting connection reported once more, where it could not be taken and no change would be reported.</param>
internal sealed unsafe class Acceptor(int listening, Func<int, bool> admits, Action reportAnew) : IDisposable
{
    // Closed for a moment when no other descriptor is left, so that a connection can be accepted and refused.
    private int _spare = OpenSpare();

    /// <param name="address">Room for the peer's address, of <paramref name="length"/> bytes; or null.</param>
    /// <param name="descriptor">With Accepted: the caller's, non-blocking and close-on-exec.</param>
    /// <returns>Accepted, None or Exhausted.</returns>
    public AcceptResult TryAccept(byte* address, uint length, out int descriptor)
    {
        while (true)
        {
            var room = length;
            descriptor = accept4(listening, address, address is null ? null : &room, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (descriptor >= 0)
            {
                if (admits(descriptor))
                    return AcceptResult.Accepted;
                Close(descriptor);
                return AcceptResult.Exhausted;
            }

            switch (Errno)
            {
                case Errors.EMFILE or Errors.ENFILE:
                    return RefuseWithSpare();
                case Errors.ECONNABORTED or Errors.EPROTO or Errors.ENONET or Errors.ENOPROTOOPT or Errors.EOPNOTSUPP or Errors.ENETDOWN or Errors.ENETUNREACH
                    or Errors.EHOSTDOWN or Errors.EHOSTUNREACH:
                    continue; // this connection has failed (accept(2), "Error handling"); others may wait
                case Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM:
                    reportAnew();
                    return AcceptResult.None;
                default:
                    return AcceptResult.None;
            }
        }
    }

    public void Dispose()
    {
        if (_spare >= 0)
            Close(_spare);
        _spare = -1;
    }

    private static int OpenSpare() => open("/dev/null", O_RDONLY | O_CLOEXEC, 0);

    private AcceptResult RefuseWithSpare()
    {
        Dispose();
        var descriptor = accept4(listening, null, null, SOCK_CLOEXEC);
        var errno = descriptor < 0 ? Errno : 0;
        if (descriptor >= 0)
            Close(descriptor);
        _spare = OpenSpare();
        OpenFileLimit.OfProcess.CountRefusal();
        if (errno == 0)
            return AcceptResult.Exhausted;
        // Another thread, or process, has taken the spare one's place.
        if (errno != Errors.EAGAIN)
            reportAnew();
        return AcceptResult.None;
    }
}
