namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>
/// A user-space gateway: it ends the client's TCP, and makes kernel sockets of its own to a server in the namespace where it runs. So it moves each byte
/// twice, once through its own stack and once through the kernel's, as our link does.
/// </summary>
internal abstract class Gateway(string name, string title) : Contestant(name, title, Role.Peer, superFrames: true)
{
    protected const int Mtu = 65520;

    protected override int Launch()
    {
        var outside = NewNetwork();
        Start(outside, Programs.KernelServer, $"{Family}");
        return LaunchGateway(outside, $"/run/netns/{Near.Name}");
    }

    protected abstract int LaunchGateway(Tests.Live.Support.NetworkNamespace outside, string inside);
}

internal sealed class Slirp() : Gateway("slirp4netns", "slirp4netns, MTU 65520")
{
    protected override int LaunchGateway(Tests.Live.Support.NetworkNamespace outside, string inside)
    {
        Programs.Require("slirp4netns", "slirp4netns");
        return Start(outside, "slirp4netns",
            "--netns-type=path", "--configure", $"--mtu={Mtu}", "--disable-dns", "--cidr=10.97.0.0/24", inside, Device);
    }
}

internal sealed class Pasta() : Gateway("pasta", "pasta, MTU 65520")
{
    protected override int LaunchGateway(Tests.Live.Support.NetworkNamespace outside, string inside)
    {
        Programs.Require("pasta", "passt");

        // It wants an interface with a default route to take after.
        outside.Ip("link add out0 type veth peer name out1");
        outside.Ip("addr add 10.96.0.1/24 dev out0");
        outside.Ip("link set out0 up");
        outside.Ip("link set out1 up");
        outside.Ip("route add default dev out0");
        return Start(outside, "pasta", "--foreground", "--quiet", "--runas", "0", "--config-net", "-a", KernelAddress, "-n", "24", "-g", Address,
            "-i", "out0", "--ns-ifname", Device, "-m", $"{Mtu}", "--no-dhcp", "--no-dhcpv6", "--no-ra", "--no-ndp",
            "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--netns", inside);
    }
}
