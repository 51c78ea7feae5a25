using System.Globalization;
using System.Text;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>Socket activation: a listening socket that a service manager passes to the program that it starts (sd_listen_fds(3)).</summary>
internal static unsafe class PassedSocket
{
    /// <summary>SD_LISTEN_FDS_START.</summary>
    private const int First = 3;

    private const int PathAt = 2;
    private const string ProcessVariable = "LISTEN_PID";
    private const string CountVariable = "LISTEN_FDS";
    private const string NamesVariable = "LISTEN_FDNAMES";

    /// <summary>The first descriptor that was passed to this process; null if none was. Makes all passed descriptors close-on-exec.</summary>
    public static int? Take()
    {
        var count = CountFor(Environment.ProcessId, Environment.GetEnvironmentVariable(ProcessVariable), Environment.GetEnvironmentVariable(CountVariable));
        if (count == 0)
            return null;
        foreach (var name in (string[])[ProcessVariable, CountVariable, NamesVariable])
            Environment.SetEnvironmentVariable(name, null);
        // Fails for one that is not open. Check says so.
        for (var i = 0; i < count; i++)
            _ = fcntl(First + i, F_SETFD, FD_CLOEXEC);
        return First;
    }

    /// <summary>The number of descriptors that the variables pass to a process.</summary>
    internal static int CountFor(int process, string? processVariable, string? countVariable) =>
        int.TryParse(processVariable, NumberStyles.None, CultureInfo.InvariantCulture, out var addressee) && addressee == process
        && int.TryParse(countVariable, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? count
            : 0;

    /// <summary>Checks that a descriptor can be a driver's control socket, and makes it non-blocking and close-on-exec.</summary>
    /// <param name="path">Where the driver was told to listen; empty if nowhere.</param>
    /// <returns>The socket's path.</returns>
    /// <exception cref="LinkListenException">The socket is unsuitable, or has another path.</exception>
    public static string Check(int descriptor, string path)
    {
        var family = Option(descriptor, SO_DOMAIN);
        if (family is null)
            throw Refused(descriptor, Errno == Errors.EBADF ? "is not open" : "is no socket");
        if (family != AF_UNIX)
            throw Refused(descriptor, "is no AF_UNIX socket");
        if (Option(descriptor, SO_TYPE) != SOCK_STREAM)
            throw Refused(descriptor, "is no stream socket");
        if (Option(descriptor, SO_ACCEPTCONN) != 1)
            throw Refused(descriptor, "does not listen");
        if (PathOf(descriptor) is not { } own)
            throw Refused(descriptor, "has no path");
        if (path.Length > 0 && !IsSame(path, own))
        {
            throw new LinkListenException($"The service manager has passed the link's socket '{own}', and --link or tapwire.link.path says '{path}'; "
                + "leave that out, or pass no socket.");
        }

        if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) < 0 || fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK) < 0)
            throw Refused(descriptor, $"cannot be made non-blocking: {Errors.Describe(Errno)}");
        return own;
    }

    private static LinkListenException Refused(int descriptor, string problem) => new(
        $"Descriptor {descriptor}, which the service manager has passed for the link, {problem}; "
        + $"pass a listening AF_UNIX stream socket with a path, as in ListenStream={LinkEndpointPath.System}.");

    private static int? Option(int descriptor, int name)
    {
        int value;
        var length = (uint)sizeof(int);
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : null;
    }

    /// <summary>Null for a socket without a name, or with one that is no path.</summary>
    private static string? PathOf(int descriptor)
    {
        var address = stackalloc byte[PathAt + UnixPathMax + 1];
        var length = (uint)(PathAt + UnixPathMax + 1);
        if (getsockname(descriptor, address, &length) != 0 || length <= PathAt || address[PathAt] == 0)
            return null;
        var bytes = new ReadOnlySpan<byte>(address + PathAt, (int)Math.Min(length - PathAt, UnixPathMax + 1));
        var end = bytes.IndexOf((byte)0);
        return Path.GetFullPath(Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]));
    }

    /// <summary>Whether two paths lead to the same file.</summary>
    private static bool IsSame(string one, string other) => Path.GetFullPath(one) == other
        || (FileStatus.TryOf(one, followLinks: true) is { } file && FileStatus.TryOf(other, followLinks: true) is { } passed && file.IsSameAs(passed));
}
