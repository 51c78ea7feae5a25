namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>The kernel's own TCP at both ends of a veth pair.</summary>
internal sealed class KernelOverVeth(bool offloads) : Contestant(
    offloads ? "veth" : "veth-plain", offloads ? "kernel over veth" : "kernel over veth, offloads off", Role.Limit, offloads)
{
    private const string FarDevice = "tw1";

    protected override int Launch()
    {
        if (!SuperFrames)
            Programs.Require("ethtool", "ethtool");
        var server = Programs.KernelServer;
        var far = NewNetwork();
        JoinBy(FarDevice, far);
        far.Ip($"addr add {StackAddress}/24 dev {FarDevice}");
        if (!SuperFrames)
        {
            foreach (var (network, device) in new[] { (Near, Device), (far, FarDevice) })
                network.Exec("ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off");
        }

        return Start(far, server);
    }
}
