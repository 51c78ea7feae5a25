using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>A VXLAN wire with the kernel's vxlan device as its peer, each host in a namespace of its own, over both families and over paths of 1,500 and 9,000 bytes.</summary>
[Collection(LiveNetworksCollection.Name)]
public sealed class VxlanSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-vxlan-");
    private readonly NetworkNamespace _near = NetworkNamespace.Create();
    private readonly NetworkNamespace _far = NetworkNamespace.Create();

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _near.Dispose();
        _far.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableTheory]
    [InlineData(1500, "192.0.2", 1450)]
    [InlineData(9000, "192.0.2", 8950)]
    [InlineData(1500, "2001:db8:", 1430)]
    [InlineData(9000, "2001:db8:", 8930)]
    public async Task The_kernel_and_we_are_one_Ethernet(int path, string underlay, int mtu)
    {
        foreach (var program in (string[])["ping", "curl", "iperf3", "ethtool", "nc"])
            Skip.If(_near.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no {program}");
        var isV4 = underlay[0] == '1';
        string At(int host) => isV4 ? $"{underlay}.{host}" : $"{underlay}:{host}";
        _near.Ip($"link add eth0 mtu {path} type veth peer name eth0 mtu {path} netns {_far.Name}");
        foreach (var (network, host) in new[] { (_near, 1), (_far, 2) })
        {
            network.Exec("ip", ["addr", "add", $"{At(host)}/{(isV4 ? 24 : 64)}", "dev", "eth0", .. isV4 ? Array.Empty<string>() : ["nodad"]]);
            network.Ip("link set eth0 up");
            // On a pair of veth devices the kernel leaves the inner checksums to a device that is not there.
            network.Exec("ethtool", "-K", "eth0", "tx", "off");
        }

        var made = _far.TryExec("ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "local", At(2), "remote", At(1), "dstport", "4789");
        Skip.If(made.ExitCode != 0, $"the kernel has no vxlan: {made.Error}");
        _far.Ip("addr add 10.9.0.1/24 dev vx0");
        _far.Ip($"link set vx0 mtu {mtu} up");

        // 192.0.2.9, or its like, is no host: what is flooded goes there, too.
        var driver = TapwireProgram.Start(_near, "up", "--wire", $"vxlan:42/local={At(1)}/remote={At(2)}/remote={At(9)}", "--address", "10.9.0.2/24", "--address", "fd09::2/64", "--link", LinkPath,
            "--serve", "echo:7,http:80,discard:9");
        driver.WaitForLine("tapwire is up");
        _far.Exec("ping", "-c", "3", "-i", "0.2", "-W", "20", "10.9.0.2");
        _far.Exec("ping", "-c", "1", "-M", "do", "-s", $"{mtu - 28}", "-W", "20", "10.9.0.2");
        _far.Exec("curl", "-sf", "-m", "30", "-o", "/dev/null", "http://10.9.0.2/");
        Assert.Contains(_far.Exec("bridge", "fdb", "show", "dev", "vx0").Split('\n'), line => line.Contains($"dst {At(1)}", StringComparison.Ordinal) && !line.StartsWith("00:00", StringComparison.Ordinal));

        _far.Start("iperf3", "-s", "-1");
        CommandResult moved;
        do
            moved = TapwireProgram.Run(_near, "run", "--link", LinkPath, "--", "iperf3", "-c", "10.9.0.1", "-t", "1", "-J");
        while (moved.ExitCode != 0 && moved.Output.Contains("refused", StringComparison.OrdinalIgnoreCase));
        Assert.True(moved.ExitCode == 0, moved.Output + moved.Error);
        using (var report = JsonDocument.Parse(moved.Output))
            Assert.True(report.RootElement.GetProperty("end").GetProperty("sum_received").GetProperty("bytes").GetInt64() > 1 << 20);
        _far.Exec("sh", "-c", "head -c 20000000 /dev/zero | timeout 30 nc -N 10.9.0.2 9");

        using var client = await TapwireClient.ConnectAsync(LinkPath).WaitAsync(Patience);
        using var status = JsonDocument.Parse(await client.GetStatusAsync().WaitAsync(Patience));
        var wire = status.RootElement.GetProperty("interfaces")[0].GetProperty("wire");
        Assert.Equal(mtu, wire.GetProperty("mtu").GetInt32());
        var counters = wire.GetProperty("counters");
        Assert.Equal((1, 1), (counters.GetProperty("Learned").GetInt32(), counters.GetProperty("Entries").GetInt32()));
        // ARP and neighbour discovery before the peer was known; all the rest went to it alone.
        Assert.InRange(counters.GetProperty("FramesFlooded").GetInt64(), 1, 50);
        Assert.True(counters.GetProperty("FramesSent").GetInt64() > 100);
        Assert.Equal(0, driver.Stop().ExitCode);
    }
}
