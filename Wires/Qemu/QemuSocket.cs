using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires.Qemu;

/// <summary>The AF_UNIX sockets between a wire and a virtual machine. Whoever could connect, or put a socket there, would be the machine: files are their owner's only, and other users' are not used.</summary>
internal static unsafe class QemuSocket
{
    /// <summary>A machine that connects while another one is here waits.</summary>
    private const int Backlog = 1;

    /// <summary>Bytes wanted for the kernel's queue to the machine; it gives what the administrator allows (net.core.wmem_max).</summary>
    private const int QueueBytes = 1 << 20;

    /// <summary>A socket on which a machine can connect.</summary>
    /// <exception cref="WireException">It cannot be had; the message says why.</exception>
    public static int Listen(string path)
    {
        var descriptor = Bind(path, SOCK_STREAM);
        if (listen(descriptor, Backlog) == 0)
            return descriptor;
        var errno = Errno;
        Remove(path, FileStatus.TryOf(path));
        Close(descriptor);
        throw new WireException($"'{path}' cannot be listened on: {Errors.Describe(errno)}.");
    }

    /// <summary>A socket with that path. What a process of this user has left there, and nobody has open, is replaced.</summary>
    /// <inheritdoc cref="Listen"/>
    public static int Bind(string path, int type)
    {
        var directory = Path.GetDirectoryName(path) ?? throw new WireException($"'{path}' is a directory; name a file in it, as in qemu:unix:/run/vm.sock.");
        try
        {
            using var starting = DirectoryLock.TryTake(directory) ?? throw new WireException($"Another process is just making a socket in '{directory}'; try again.");
            var state = UnixSocketFile.RemoveStale(path, type, out var owner);
            return state == SocketFileState.Free ? UnixSocketFile.Bind(path, type, UnixSocketFile.OwnerOnly) : throw new WireException(state switch
            {
                SocketFileState.Directory => $"'{path}' is a directory; name a file in it, as in qemu:unix:/run/vm.sock.",
                SocketFileState.NoSocket => $"'{path}' exists and is not a socket; remove it, or choose another path.",
                SocketFileState.InUse => $"Another process has the socket '{path}' open; stop it, or choose another path. (Where QEMU has server=on, the wire is qemu:unix-connect:PATH.)",
                _ => $"The socket '{path}' belongs to user {owner}, not to {geteuid()}; have it removed, or choose another path.",
            });
        }
        catch (PosixException e)
        {
            throw new WireException($"The socket '{path}' for a virtual machine cannot be made: {e.Message}.", e);
        }
    }

    /// <summary>Connects to a machine that listens.</summary>
    /// <exception cref="WireException">None does; the message says so.</exception>
    public static int Connect(string path)
    {
        var descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0)
            throw new WireException($"No socket can be had: {Errors.Describe(Errno)}.");
        var error = new UnixAddress(path).Connect(descriptor);
        var peer = "";
        if (error == 0 && IsTrusted(descriptor, out peer))
            return descriptor;
        Close(descriptor);
        throw new WireException(error switch
        {
            0 => $"The virtual machine at '{path}' is that of {peer}, not of user {geteuid()} or root.",
            Errors.ENOENT => $"There is no socket '{path}': start the virtual machine with -netdev stream,server=on before, or let Tapwire listen with qemu:unix:{path}.",
            Errors.EAGAIN => $"The virtual machine at '{path}' has a connection already.",
            _ => $"'{path}' cannot be connected to: {Errors.Describe(error)}.",
        });
    }

    /// <summary>A socket for datagrams without a name.</summary>
    /// <inheritdoc cref="Listen"/>
    public static int Datagrams()
    {
        var descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return descriptor >= 0 ? descriptor : throw new WireException($"No socket can be had: {Errors.Describe(Errno)}.");
    }

    /// <summary>Asks for a longer queue to the machine; without one all works, slower.</summary>
    public static void Lengthen(int descriptor)
    {
        var bytes = QueueBytes;
        _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(int));
    }

    /// <summary>Whether the process at the other end is this user's, or root's, as the kernel noted when it connected or listened.</summary>
    /// <param name="peer">As in "process 42 of user 1000".</param>
    public static bool IsTrusted(int descriptor, out string peer)
    {
        Credentials credentials;
        var length = (uint)sizeof(Credentials);
        var known = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0;
        peer = known ? $"process {credentials.ProcessId} of user {credentials.UserId}" : "an unknown process";
        return known && (credentials.UserId == geteuid() || credentials.UserId == 0);
    }

    /// <summary>Removes the socket's file, unless another process has put its own in that place.</summary>
    public static void Remove(string path, FileStatus? file)
    {
        if (file is { } own && FileStatus.TryOf(path) is { } current && current.IsSameAs(own))
            _ = unlink(path);
    }
}
