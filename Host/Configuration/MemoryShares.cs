using Tapwire.Posix;

namespace Tapwire.Host.Configuration;

/// <summary>
/// What a driver takes by itself of the memory that it may use: what "auto" stands for in the settings. Together these leave half to the runtime, to the kernel's
/// buffers of sockets, and to what else is in the same control group.
/// </summary>
/// <param name="limit">Bytes that the process may use.</param>
internal sealed class MemoryShares(long limit)
{
    public const long LeastTcp = 4 << 20;

    public const int LeastBuffer = 128 << 10;

    /// <summary>With its service's actor, rounded up.</summary>
    private const int ConnectionBytes = 2 << 10;

    /// <summary>Its actor, and two sockets of the kernel with nothing in them.</summary>
    private const int LinkSocketBytes = 16 << 10;

    /// <summary>The runtime and its libraries take 40 MiB, and what its collector allows itself is a multiple of what is in use.</summary>
    private const long LeastLimit = 128 << 20;

    /// <summary>Null, or why no driver can live with so little memory.</summary>
    public string? Problem => limit >= LeastLimit ? null
        : FormattableString.Invariant($"The control group lets this process use {limit >> 20} MiB of memory, and a driver needs at least {LeastLimit >> 20} MiB; ")
            + "raise MemoryMax= in a unit of systemd, or --memory of a container.";

    public static MemoryShares OfProcess { get; } = new(MemoryLimit.OfProcess.Bytes);

    /// <summary>Bytes that all connections hold together; the buffers that they are in may be twice as large.</summary>
    public long Tcp => Math.Clamp(limit / 8, LeastTcp, 1 << 30);

    /// <summary>Bytes that a connection begins with, and so its first window: some 256 can fill theirs before all memory is used up.</summary>
    public int ReceiveBuffer => (int)Math.Clamp(Tcp / 256, LeastBuffer, 1 << 20);

    /// <summary>Connections at once.</summary>
    public int TcpSockets => (int)Math.Clamp(limit / 4 / ConnectionBytes, 1024, 1 << 20);

    /// <summary>Sockets of applications at once.</summary>
    public int LinkSockets => (int)Math.Clamp(limit / 4 / LinkSocketBytes, 256, 65536);

    /// <summary>Free buffers of each size that are kept for reuse, in bytes.</summary>
    /// <param name="most">Where memory is plenty.</param>
    public int Pool(int most = 16 << 20) => (int)Math.Clamp(limit / 64, 1 << 20, most);
}
