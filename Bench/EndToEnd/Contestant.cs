using System.Diagnostics;
using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd;

internal enum Role
{
    Ours,
    Peer,

    /// <summary>The kernel on both sides: what can be had at all.</summary>
    Limit,
}

/// <summary>
/// A stack that serves echo, discard and source, in namespaces of its own, and the namespace with the kernel from which clients reach it. It runs from
/// the first round to the last, so that what learns while it runs is measured as it is after that.
/// </summary>
/// <param name="superFrames">Whether frames are larger than a wire's 1,500 bytes, in one piece or by offload.</param>
internal abstract class Contestant(string name, string title, Role role, bool superFrames) : IDisposable
{
    protected const string Device = "tw0";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<NetworkNamespace> _networks = [];
    private readonly List<DirectoryInfo> _directories = [];
    private bool _pinned;

    // The last line on standard error of what was started.
    private string _complaint = "";

    public string Name { get; } = name;

    public string Title => Family == 6 ? $"{title}, IPv6" : title;

    /// <summary>4 or 6: of the addresses, and of the clients' sockets.</summary>
    public int Family { get; init; } = 4;

    public Role Role { get; } = role;

    public bool SuperFrames { get; } = superFrames;

    /// <summary>It can run any server, not only its own services.</summary>
    public virtual bool RunsPrograms => false;

    /// <summary>Whether a measurement by the client that is the same for all can be made: by default it serves echo, discard and source.</summary>
    public virtual bool Serves(string measurement) => true;

    /// <summary>Where clients find the services.</summary>
    public virtual string Address => StackAddress;

    protected string KernelAddress => Family == 6 ? "fd00:97::1" : "10.97.0.1";

    protected string StackAddress => Family == 6 ? "fd00:97::2" : "10.97.0.2";

    /// <summary>The length of the network's prefix.</summary>
    protected int Prefix => Family == 6 ? 64 : 24;

    /// <summary>Behind an address of the kernel: it can be used at once.</summary>
    protected string AtOnce => Family == 6 ? " nodad" : "";

    /// <summary>The process that does the work of the stack.</summary>
    public int Pid { get; private set; }

    /// <summary>The clients' namespace.</summary>
    protected NetworkNamespace Near => field ??= NewNetwork();

    /// <summary>A command on the clients' side that succeeds as soon as the contestant serves.</summary>
    protected virtual IReadOnlyList<string> Probe => [Programs.Client, "echo", Address, "0.01", $"{ClientMeasurement.Echo}"];

    private string[] Launcher => _pinned ? ["taskset", "-c", "0"] : [];

    /// <summary>Starts the stack, and returns when it serves.</summary>
    /// <exception cref="MissingException">What it needs is not there.</exception>
    /// <exception cref="InvalidOperationException">It has started, but does not answer.</exception>
    public void Start(bool pinned)
    {
        _pinned = pinned;
        Pid = Launch();
        var clock = Stopwatch.StartNew();
        CommandResult answer;
        while ((answer = RunNear(Probe[0], [.. Probe.Skip(1)])).ExitCode != 0)
        {
            if (clock.Elapsed > Patience)
                throw new InvalidOperationException($"does not answer: {answer.Error.Trim()} {_complaint}");
            Thread.Sleep(100);
        }
    }

    public virtual CommandResult RunClient(params string[] arguments) => RunNear(Programs.Client, arguments);

    /// <summary>Runs a program where the clients are.</summary>
    public virtual CommandResult RunNear(string program, params string[] arguments) => Near.TryExec("env", [.. Launcher, program, .. arguments]);

    /// <summary>Starts a server that clients find at <see cref="Address"/>, and that ends with the contestant.</summary>
    public virtual void RunServer(IReadOnlyList<string> command) => throw new NotSupportedException();

    /// <summary>Makes a directory that anybody may read, and that is removed with the contestant.</summary>
    public string NewDirectory()
    {
        var directory = Directory.CreateTempSubdirectory("tapwire-bench-");
        Near.Exec("chmod", "0755", directory.FullName);
        _directories.Add(directory);
        return directory.FullName;
    }

    public virtual void Dispose()
    {
        foreach (var network in _networks)
            network.Dispose();
        foreach (var directory in _directories)
            directory.Delete(recursive: true);
    }

    /// <summary>Starts the stack and what else is needed, and returns the process id of the stack.</summary>
    protected abstract int Launch();

    /// <summary>Starts a program that ends with the namespace.</summary>
    protected int Start(NetworkNamespace network, string program, params string[] arguments) => Start(network, [program, .. arguments]);

    /// <inheritdoc cref="Start(NetworkNamespace, string, string[])"/>
    protected int Start(NetworkNamespace network, IReadOnlyList<string> command)
    {
        // pasta takes a SIGPIPE that is ignored already for a failure to ignore it.
        var process = network.Start("env", ["--default-signal=PIPE", .. Launcher, .. command]);

        process.ErrorDataReceived += (_, line) => _complaint = line.Data ?? _complaint;
        process.BeginErrorReadLine();

        // A pipe that is full would stop it.
        process.BeginOutputReadLine();
        return process.Id;
    }

    /// <summary>Starts our program, with the same placement.</summary>
    protected TapwireProgram StartTapwire(NetworkNamespace network, params string[] arguments) =>
        TapwireProgram.StartBy(network, ["env", "--default-signal=INT", .. Launcher], arguments);

    protected NetworkNamespace NewNetwork()
    {
        var network = NetworkNamespace.Create();
        _networks.Add(network);

        // Thousands of short connections leave as many ports in TIME-WAIT; with half of all ports there, connect searches longer than a connection takes.
        network.Sysctl("net/ipv4/tcp_max_tw_buckets", "64");
        network.Sysctl("net/ipv4/tcp_tw_reuse", "1");
        network.Sysctl("net/ipv4/ip_local_port_range", "2048 65535");
        network.Sysctl("net/ipv4/tcp_no_metrics_save", "1");
        network.Sysctl("net/ipv6/conf/all/disable_ipv6", Family == 6 ? "0" : "1");
        return network;
    }

    /// <summary>The device that the stack has made gets the kernel's address.</summary>
    protected void TakeDevice()
    {
        var clock = Stopwatch.StartNew();
        while (Near.TryExec("ip", "link", "set", Device, "up").ExitCode != 0)
        {
            if (clock.Elapsed > Patience)
                throw new InvalidOperationException($"has not made the device {Device}");
            Thread.Sleep(100);
        }

        Near.Ip($"addr add {KernelAddress}/{Prefix} dev {Device}{AtOnce}");
    }

    /// <summary>Joins the clients' namespace with another one.</summary>
    protected void JoinBy(string device, NetworkNamespace far)
    {
        Near.Ip($"link add {Device} type veth peer name {device} netns {far.Name}");
        Near.Ip($"addr add {KernelAddress}/{Prefix} dev {Device}{AtOnce}");
        Near.Ip($"link set {Device} up");
        far.Ip($"link set {device} up");
    }
}
