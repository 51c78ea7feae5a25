namespace Tapwire.Host.Diagnosis;

/// <summary>Facts about this machine and this process, from which <see cref="Finding"/>s are derived.</summary>
internal sealed record MachineFacts
{
    /// <summary>The kernel's name and version, and the processor's architecture, in the usual notation.</summary>
    public required string System { get; init; }

    public required bool IsLinux { get; init; }

    public required Version Kernel { get; init; }

    public required int Processors { get; init; }

    /// <summary>Null if /dev/net/tun opens; otherwise why it does not, and what to do.</summary>
    public string? TunProblem { get; init; }

    /// <summary>IFF_VNET_HDR: the kernel exchanges super-frames with the device.</summary>
    public bool TunHasVirtioHeader { get; init; }

    /// <summary>IFF_MULTI_QUEUE: a device can have a queue for each shard.</summary>
    public bool TunHasQueues { get; init; }

    /// <summary>True when CAP_NET_ADMIN is an effective capability.</summary>
    public required bool HasNetAdmin { get; init; }

    /// <summary>Null if a user namespace with its own network namespace can be made; otherwise why not.</summary>
    public string? NamespaceProblem { get; init; }

    /// <summary>Most open files of a driver. The runtime has raised the soft limit to the hard one.</summary>
    public required int OpenFiles { get; init; }

    /// <summary>Bytes of memory that a driver may use: the lowest limit of its control groups, or the machine's memory.</summary>
    public required long Memory { get; init; }

    /// <summary>net.core.wmem_max: the largest send buffer that a socket may request, in bytes; 0 if it cannot be read.</summary>
    public required long SocketBuffer { get; init; }

    /// <summary>Null if the library for unmodified programs exists and a program starts with it; otherwise why not, and what to do.</summary>
    public string? LibraryProblem { get; init; }

    /// <summary>The link's default path.</summary>
    public required string Link { get; init; }

    /// <summary>True when a driver answers at that path.</summary>
    public bool DriverRuns { get; init; }

    /// <summary>Null if a driver listens at that path, or could; otherwise why not, and what to do.</summary>
    public string? LinkProblem { get; init; }

    /// <summary>Null if the settings are valid; otherwise the message with which a start would fail.</summary>
    public string? SettingsProblem { get; init; }
}
