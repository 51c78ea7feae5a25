using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Interop;

/// <summary>
/// One path for two rivals: a driver of ours and a kernel, <see cref="Near"/>, are neighbours on a bridge, and on the other end of a
/// <c>tapwire cable</c> is a second kernel, <see cref="Far"/>. Super-frames of both are cut where they leave the bridge, so that single packets pass the cable.
/// <code>
/// driver ── t0 ─┐
///               ├─ bridge ── ca ══ cable ══ cb (Far)
/// Near ── veth ─┘
/// </code>
/// </summary>
internal sealed class ImpairedPath : IDisposable
{
    public const string NearAddress = "10.98.0.1";
    public const string OurAddress = "10.98.0.2";
    public const string FarAddress = "10.98.0.3";
    public const int Discard = 9;
    public const int Source = 19;

    // Far has always the same address, so that nobody's neighbour table is wrong after another cable is plugged in.
    private const string FarHardwareAddress = "02:00:00:00:98:03";

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-path-");
    private readonly int _mtu;
    private TapwireProgram? _driver;
    private TapwireProgram? _cable;

    private ImpairedPath(int mtu)
    {
        _mtu = mtu;
        Middle = LiveCable.Quiet(NetworkNamespace.Create());
        Near = LiveCable.Quiet(NetworkNamespace.Create());
        Far = LiveCable.Quiet(NetworkNamespace.Create());
        Middle.Ip("link add br0 type bridge");
        Middle.Ip("link set br0 up");
        Middle.Ip($"link add v0 mtu {mtu} type veth peer name v1 mtu {mtu} netns {Near.Name}");
        Middle.Ip("link set v0 master br0 up");
        Near.Ip($"addr add {NearAddress}/24 dev v1");
        Near.Ip("link set v1 up");
        foreach (var kernel in (NetworkNamespace[])[Near, Far])
        {
            // What one connection has learned of the path is not for the next one.
            kernel.Sysctl("net/ipv4/tcp_no_metrics_save", "1");
        }
    }

    /// <summary>The bridge, and the devices of driver and cable.</summary>
    public NetworkNamespace Middle { get; }

    public NetworkNamespace Near { get; }

    public NetworkNamespace Far { get; }

    public TapwireProgram Driver => _driver!;

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    /// <param name="settings">HOCON for the driver's --config; empty for none.</param>
    public static ImpairedPath Create(string settings = "", int mtu = 1500)
    {
        var path = new ImpairedPath(mtu);
        try
        {
            path.StartDriver(settings);
            return path;
        }
        catch
        {
            path.Dispose();
            throw;
        }
    }

    /// <summary>Starts the driver, in place of the one that there is, with other settings.</summary>
    public void StartDriver(string settings)
    {
        StopDriver();
        _driver = TapwireProgram.Start(Middle,
        [
            "up", "--wire", "tap:t0", "--mtu", $"{_mtu}", "--mac", "02:00:00:00:98:02", "--address", $"{OurAddress}/24", "--link", LinkPath,
            "--serve", $"discard:{Discard},source:{Source}", .. LiveSettings.WriteTo(_directory, settings),
        ]);
        _driver.WaitForLine("tapwire is up");
        Middle.Ip("link set t0 master br0");
    }

    /// <summary>Plugs in a cable, in place of the one that there is.</summary>
    /// <param name="arguments">Its impairments, as on the command line.</param>
    public void Plug(params string[] arguments)
    {
        Unplug();
        _cable = TapwireProgram.Start(Middle, ["cable", "--a", "tap:ca", "--b", "tap:cb", "--mtu", $"{_mtu}", .. arguments]);
        _cable.WaitForLine("tapwire cable is up");
        Middle.Ip("link set ca master br0");
        Middle.Ip($"link set cb netns {Far.Name}");
        Far.Ip($"link set cb address {FarHardwareAddress} up");
        Far.Ip($"addr add {FarAddress}/24 dev cb");

        // A neighbour table is no subject here: a damaged ARP packet, which has no checksum, would be one.
        Far.Ip($"neigh replace {OurAddress} lladdr 02:00:00:00:98:02 dev cb nud permanent");
        Near.Ip($"neigh replace {FarAddress} lladdr {FarHardwareAddress} dev v1 nud permanent");
    }

    /// <summary>Takes the cable away, and returns its counters.</summary>
    public CableTable Unplug()
    {
        if (_cable is null)
            return CableTable.Parse("");
        var ended = _cable.Stop();
        _cable = null;
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        return CableTable.Parse(ended.Output);
    }

    /// <summary>Sets a variable in both kernels.</summary>
    public void Sysctl(string name, string value)
    {
        Near.Sysctl(name, value);
        Far.Sysctl(name, value);
    }

    /// <summary>An application of the driver.</summary>
    public async Task<TapwireClient> ConnectToLinkAsync() => await TapwireClient.ConnectAsync(LinkPath).WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Stops the driver, which must end well and have nothing to complain of.</summary>
    public void StopDriver()
    {
        if (_driver is null)
            return;
        var ended = _driver.Stop();
        _driver = null;
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
    }

    public void Dispose()
    {
        Middle.Dispose();
        Near.Dispose();
        Far.Dispose();
        _directory.Delete(recursive: true);
    }
}
