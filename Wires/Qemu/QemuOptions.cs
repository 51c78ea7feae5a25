using Tapwire.Posix;

namespace Tapwire.Wires.Qemu;

/// <summary>How a wire meets a virtual machine.</summary>
internal enum QemuRole
{
    /// <summary>The wire listens, and the machine connects ("-netdev stream,server=off").</summary>
    Listens,

    /// <summary>The machine listens, and the wire connects ("server=on").</summary>
    Connects,

    /// <summary>Both have a socket for datagrams ("-netdev dgram").</summary>
    Datagrams,
}

/// <summary>
/// The argument of a wire to a virtual machine, in QEMU's words: "unix:PATH", "unix-connect:PATH", or "unix-dgram:LOCAL:REMOTE", where LOCAL is QEMU's remote.path and REMOTE its local.path.
/// </summary>
/// <param name="Path">The socket's file, absolute.</param>
/// <param name="Remote">The machine's socket for datagrams, absolute; empty otherwise.</param>
internal sealed record QemuOptions(QemuRole Role, string Path, string Remote)
{
    public const string Forms = "unix:PATH, unix-connect:PATH or unix-dgram:LOCAL:REMOTE";

    /// <exception cref="WireException">The argument is wrong; the message says where.</exception>
    public static QemuOptions Parse(string argument)
    {
        var words = argument.Split(':');
        return words switch
        {
            ["unix", var path] => new(QemuRole.Listens, Full(path), ""),
            ["unix-connect", var path] => new(QemuRole.Connects, Full(path), ""),
            ["unix-dgram", var local, var remote] when Full(local) is var own && Full(remote) is var other => own != other
                ? new(QemuRole.Datagrams, own, other)
                : throw new WireException($"A QEMU wire has one socket and the machine another: '{local}' is given for both."),
            _ => throw new WireException($"A QEMU wire has {Forms}, not '{argument}'; a path has no ':' in it."),
        };
    }

    /// <summary>The first path of an argument that may be wrong otherwise; empty: it has none.</summary>
    public static string PathOf(string argument) => argument.Split(':') is [_, var path, ..] ? path : "";

    private static string Full(string path)
    {
        if (path.Length == 0)
            throw new WireException($"The path of a QEMU wire is missing: it has {Forms}.");
        string full;
        try
        {
            full = System.IO.Path.GetFullPath(path);
        }
        catch (FileNotFoundException e)
        {
            throw new WireException($"'{path}' of a QEMU wire is a relative path, and the current directory is gone; give one that begins with '/'.", e);
        }

        return UnixAddress.Fits(full, out var length) ? full : throw new WireException($"The path '{full}' of a QEMU wire has {length} bytes; 1 to {Libc.UnixPathMax} are allowed.");
    }
}
