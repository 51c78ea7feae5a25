using Tapwire.Posix;

namespace Tapwire.Configuration;

/// <summary>
/// The limits that "auto" stands for in the settings, as shares of the memory that the process may use. Together they leave half of it to the runtime, to the
/// kernel's socket buffers, and to whatever else is in the same control group.
/// </summary>
/// <param name="limit">Bytes that the process may use.</param>
internal sealed class MemoryShares(long limit)
{
    public const long LeastTcp = 4 << 20;

    public const int LeastBuffer = 128 << 10;

    /// <summary>Memory of a connection with its service's actor, rounded up.</summary>
    private const int ConnectionBytes = 2 << 10;

    /// <summary>Memory of an application's socket: its actor, and two empty sockets of the kernel.</summary>
    private const int LinkSocketBytes = 16 << 10;

    /// <summary>The runtime and its libraries take 40 MiB, and its garbage collector needs a multiple of the memory in use.</summary>
    private const long LeastLimit = 128 << 20;

    /// <summary>Null, or why the memory is too little for a driver.</summary>
    public string? Problem => limit >= LeastLimit ? null
        : FormattableString.Invariant($"The control group lets this process use {limit >> 20} MiB of memory, and a driver needs at least {LeastLimit >> 20} MiB; ")
            + "raise MemoryMax= in a unit of systemd, or --memory of a container.";

    public static MemoryShares OfProcess { get; } = new(MemoryLimit.OfProcess.Bytes);

    /// <summary>Bytes that all connections may hold together. The buffers for them may be twice as large.</summary>
    public long Tcp => Math.Clamp(limit / 8, LeastTcp, 1 << 30);

    /// <summary>Initial receive buffer of a connection in bytes, and so its first window. Some 256 connections can fill theirs before the memory is used up.</summary>
    public int ReceiveBuffer => (int)Math.Clamp(Tcp / 256, LeastBuffer, 1 << 20);

    /// <summary>Most connections at once.</summary>
    public int TcpSockets => (int)Math.Clamp(limit / 4 / ConnectionBytes, 1024, 1 << 20);

    /// <summary>Most sockets of applications at once.</summary>
    public int LinkSockets => (int)Math.Clamp(limit / 4 / LinkSocketBytes, 256, 65536);

    /// <summary>Most bytes of free buffers that are kept for reuse, for each size of buffer.</summary>
    /// <param name="most">The limit if memory is plentiful.</param>
    public int Pool(int most = 16 << 20) => (int)Math.Clamp(limit / 64, 1 << 20, most);
}
