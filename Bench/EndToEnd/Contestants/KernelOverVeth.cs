using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>The kernel's own TCP at both ends of a veth pair.</summary>
internal sealed class KernelOverVeth(bool offloads) : Contestant(
    offloads ? "veth" : "veth-plain", offloads ? "kernel over veth" : "kernel over veth, offloads off", Role.Limit, offloads)
{
    private const string FarDevice = "tw1";

    private NetworkNamespace? _far;

    public override bool RunsPrograms => true;

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
