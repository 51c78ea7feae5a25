using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>The kernel's own TCP at both ends of a veth pair.</summary>
internal sealed class KernelOverVeth : Contestant
{
    private const string FarDevice = "tw1";

    // Only what is asked and answered in datagrams.
    private readonly bool _datagrams;

    private NetworkNamespace? _far;

    public KernelOverVeth(bool offloads)
        : base(offloads ? "veth" : "veth-plain", offloads ? "kernel over veth" : "kernel over veth, offloads off", Role.Limit, offloads)
    {
    }

    private KernelOverVeth()
        : base("udp-veth", "kernel over veth, by UDP", Role.Limit, superFrames: true) => _datagrams = true;

    /// <summary>An echo by UDP: the least that a round trip between two processes costs.</summary>
    public static KernelOverVeth Datagrams() => new();

    public override bool RunsPrograms => !_datagrams;

    public override bool Serves(string measurement) => !_datagrams || measurement == "echo";

    public override CommandResult RunClient(params string[] arguments) => base.RunClient(_datagrams ? ["echo-udp", .. arguments.Skip(1)] : arguments);

    public override void RunServer(IReadOnlyList<string> command) => Start(_far!, command[0], [.. command.Skip(1)]);

    protected override int Launch()
    {
        if (!SuperFrames)
            Programs.Require("ethtool", "ethtool");
        var server = Programs.KernelServer;
        var far = _far = NewNetwork();
        JoinBy(FarDevice, far);
        far.Ip($"addr add {StackAddress}/{Prefix} dev {FarDevice}{AtOnce}");
        if (!SuperFrames)
        {
            foreach (var (network, device) in new[] { (Near, Device), (far, FarDevice) })
                network.Exec("ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off");
        }

        return Start(far, server, $"{Family}");
    }
}
