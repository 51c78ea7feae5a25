using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Posix;

namespace Tapwire.Host.Diagnosis;

internal enum Verdict
{
    Ok,

    /// <summary>Works, but with less than is possible.</summary>
    Limited,

    /// <summary>Missing, so that something cannot work.</summary>
    Missing,
}

/// <summary>The result of examining one subject.</summary>
/// <param name="Remedy">What the user can do about it; null if nothing is to be done.</param>
internal sealed record Finding(Verdict Verdict, string Subject, string What, string? Remedy = null)
{
    private const int FewOpenFiles = 4096;

    /// <summary>In MiB. With this much, connections get 32 MiB.</summary>
    private const int LittleMemory = 256;

    private static readonly Version UdpSegmentation = new(6, 2);

    /// <summary>All findings, a driver's necessities first.</summary>
    public static IReadOnlyList<Finding> From(MachineFacts facts) =>
    [
        Kernel(facts),
        Devices(facts),
        Privilege(facts),
        Offloads(facts),
        OpenFiles(facts),
        Memory(facts),
        SocketBuffers(facts),
        Processors(facts),
        Library(facts),
        Link(facts),
        Settings(facts),
    ];

    private static Finding Kernel(MachineFacts facts) => facts.IsLinux
        ? new(Verdict.Ok, "system", facts.System)
        : new(Verdict.Missing, "system", facts.System, "Tapwire runs on Linux only.");

    private static Finding Devices(MachineFacts facts) => facts.TunProblem is { } problem
        ? new(Verdict.Missing, "TAP devices", "'up' and 'cable' have no device to open.", problem)
        : new(Verdict.Ok, "TAP devices", "/dev/net/tun opens.");

    private static Finding Privilege(MachineFacts facts) => (facts.HasNetAdmin, facts.NamespaceProblem) switch
    {
        (true, _) => new(Verdict.Ok, "privilege", "CAP_NET_ADMIN: devices can be made here."),
        (false, null) => new(Verdict.Limited, "privilege", "No CAP_NET_ADMIN, but user namespaces work.",
            "Run the driver inside 'unshare -Urn', or have root make its device once: ip tuntap add dev tw0 mode tap user $USER"),
        (false, var problem) => new(Verdict.Missing, "privilege", $"No CAP_NET_ADMIN, and no user namespaces: {problem}",
            "Run as root, or have root make the device once: ip tuntap add dev tw0 mode tap user $USER"),
    };

    private static Finding Offloads(MachineFacts facts) => facts switch
    {
        { TunProblem: not null } => new(Verdict.Limited, "offloads", "Not known without /dev/net/tun."),
        { TunHasVirtioHeader: false } => new(Verdict.Limited, "offloads", "The kernel passes single frames only: bulk transfers are several times slower.",
            "Use a kernel whose tun module has IFF_VNET_HDR (any of Linux 2.6.27 or later)."),
        _ when facts.Kernel < UdpSegmentation => new(Verdict.Limited, "offloads", "Checksum and TCP segmentation; UDP segmentation came with Linux 6.2."),
        _ => new(Verdict.Ok, "offloads", "Checksum, TCP and UDP segmentation."),
    };

    private static Finding OpenFiles(MachineFacts facts)
    {
        var sockets = Math.Max(0, new OpenFileLimit(() => facts.OpenFiles).Ceiling - Preflight.DriverFiles);
        var what = FormattableString.Invariant($"{facts.OpenFiles}: room for {sockets} sockets of applications.");
        return facts.OpenFiles >= FewOpenFiles
            ? new(Verdict.Ok, "open files", what)
            : new(sockets == 0 ? Verdict.Missing : Verdict.Limited, "open files", what,
                "Have root raise the hard limit (ulimit -Hn, limits.conf, or LimitNOFILE in the unit).");
    }

    private static Finding Memory(MachineFacts facts)
    {
        var mebibytes = facts.Memory >> 20;
        var shares = new MemoryShares(facts.Memory);
        var what = FormattableString.Invariant($"{mebibytes} MiB may be used: {shares.Tcp >> 20} MiB of it for connections (tcp.memory = auto).");
        if (shares.Problem is { } problem)
            return new(Verdict.Missing, "memory", what, problem);
        return mebibytes >= LittleMemory
            ? new(Verdict.Ok, "memory", what)
            : new(Verdict.Limited, "memory", what, "Have the limit of the control group raised (MemoryMax in the unit, --memory of a container).");
    }

    private static Finding SocketBuffers(MachineFacts facts) => facts.SocketBuffer switch
    {
        0 => new(Verdict.Limited, "socket buffers", "net.core.wmem_max cannot be read."),
        >= DatagramLink.DefaultBufferBytes => new(Verdict.Ok, "socket buffers", FormattableString.Invariant($"net.core.wmem_max is {facts.SocketBuffer}.")),
        _ => new(Verdict.Limited, "socket buffers", FormattableString.Invariant($"net.core.wmem_max is {facts.SocketBuffer}: bulk transfers of applications are slower."),
            FormattableString.Invariant($"sysctl net.core.wmem_max={DatagramLink.DefaultBufferBytes}")),
    };

    private static Finding Processors(MachineFacts facts) => facts switch
    {
        { Processors: 1 } => new(Verdict.Limited, "processors", "One, which driver and applications share."),
        { TunProblem: null, TunHasQueues: false } => new(Verdict.Limited, "processors",
            FormattableString.Invariant($"{facts.Processors}, and the kernel has no multi-queue devices: a driver has one thread.")),
        _ => new(Verdict.Ok, "processors", FormattableString.Invariant($"{facts.Processors}; '--shards N' shares a driver's work among as many threads.")),
    };

    private static Finding Library(MachineFacts facts) => facts.LibraryProblem is { } problem
        ? new(Verdict.Missing, "tapwire run", "Unmodified programs cannot be run.", problem)
        : new(Verdict.Ok, "tapwire run", "libtapwire.so is there, and programs start with it.");

    private static Finding Link(MachineFacts facts) => facts switch
    {
        { LinkProblem: { } problem } => new(Verdict.Missing, "link", $"{facts.Link} cannot be used.", problem),
        { DriverRuns: true } => new(Verdict.Ok, "link", $"A driver answers at {facts.Link}."),
        _ => new(Verdict.Ok, "link", $"{facts.Link} is free: no driver runs."),
    };

    private static Finding Settings(MachineFacts facts) => facts.SettingsProblem is { } problem
        ? new(Verdict.Missing, "settings", "They cannot be used.", problem)
        : new(Verdict.Ok, "settings", "They can be used.");
}
