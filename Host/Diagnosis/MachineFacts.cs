namespace Tapwire.Host.Diagnosis;

/// <summary>What has been found out about this machine and this process, for <see cref="Finding"/>s to be drawn from.</summary>
internal sealed record MachineFacts
{
    /// <summary>The kernel's name and version, and the processor's architecture, as a user would write them.</summary>
    public required string System { get; init; }

    public required bool IsLinux { get; init; }

    public required Version Kernel { get; init; }

    public required int Processors { get; init; }

    /// <summary>Null: /dev/net/tun opens. Otherwise why it does not, and what to do.</summary>
    public string? TunProblem { get; init; }

    /// <summary>IFF_VNET_HDR: the kernel passes super-frames.</summary>
    public bool TunHasVirtioHeader { get; init; }

    /// <summary>IFF_MULTI_QUEUE: a device for several shards.</summary>
    public bool TunHasQueues { get; init; }

    /// <summary>CAP_NET_ADMIN is among the effective capabilities.</summary>
    public required bool HasNetAdmin { get; init; }

    /// <summary>Null: a user namespace with a network of its own can be made. Otherwise why not.</summary>
    public string? NamespaceProblem { get; init; }

    /// <summary>Open files that a driver may have. The runtime has raised the limit as far as it may.</summary>
    public required int OpenFiles { get; init; }

    /// <summary>Bytes of memory that a driver may use: the least limit of its control groups, or the machine's.</summary>
    public required long Memory { get; init; }

    /// <summary>net.core.wmem_max: the largest buffer that a socket may ask for, in bytes; 0 where it cannot be read.</summary>
    public required long SocketBuffer { get; init; }

    /// <summary>Null: the library for unmodified programs is there and a program starts with it. Otherwise why not, and what to do.</summary>
    public string? LibraryProblem { get; init; }

    /// <summary>The link's path when nothing names another.</summary>
    public required string Link { get; init; }

    /// <summary>A driver answers there.</summary>
    public bool DriverRuns { get; init; }

    /// <summary>Null: a driver could listen there, or does. Otherwise why not, and what to do.</summary>
    public string? LinkProblem { get; init; }

    /// <summary>Null: the settings can be used. Otherwise the line that a start would end with.</summary>
    public string? SettingsProblem { get; init; }
}
