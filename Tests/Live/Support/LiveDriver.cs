using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Links.Client;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>
/// A running <c>tapwire up</c> on a TAP device in a namespace of its own, the kernel with its address on the other end of that wire, and the verbs of a spec:
/// kernel sockets inside that namespace, and applications on the driver's link. Ended with the spec whatever comes of it.
/// </summary>
internal sealed class LiveDriver : IDisposable
{
    public const string Device = "tw0";
    public const string Address = "10.99.0.2";
    public const string KernelAddress = "10.99.0.1";

    /// <summary>The same of IPv6, of a driver that is started with <see cref="V6"/>.</summary>
    public const string AddressV6 = "fd00:99::2";
    public const string KernelAddressV6 = "fd00:99::1";
    public const int Echo = 7;
    public const int Discard = 9;
    public const int Source = 19;
    public const int Http = 80;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _directory;
    private readonly string[] _launcher;
    private readonly string[] _arguments;

    private LiveDriver(NetworkNamespace network, DirectoryInfo directory, AddressFamily family, string[] launcher, string[] arguments)
    {
        Family = family;
        _launcher = launcher;
        Namespace = network;
        _directory = directory;
        _arguments = arguments;
        Program = StartProgram();
    }

    public NetworkNamespace Namespace { get; }

    /// <summary>Whose addresses the verbs below use.</summary>
    public AddressFamily Family { get; }

    /// <summary>The stack's address of that family, and the kernel's.</summary>
    public IPAddress Own => AddressOf(Family);

    public IPAddress Peer => KernelAddressOf(Family);

    /// <summary>The stack's address as it stands before a port, and in a URL.</summary>
    public string OwnHost => HostOf(Own);

    /// <summary>All addresses of that family.</summary>
    public IPAddress Any => Family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;

    /// <summary>An address of the wire's network that nobody has.</summary>
    public IPAddress Nobody => IPAddress.Parse(Family == AddressFamily.InterNetwork ? "10.99.0.77" : "fd00:99::77");

    /// <summary>Arguments of <c>tapwire up</c> for IPv6 addresses beside the IPv4 ones.</summary>
    public static string[] V6 => ["--address", $"{AddressV6}/64", "--peer-address", $"{KernelAddressV6}/64"];

    /// <summary>The stack's address of a family.</summary>
    public static IPAddress AddressOf(AddressFamily family) => IPAddress.Parse(family == AddressFamily.InterNetwork ? Address : AddressV6);

    /// <summary>The kernel's address of a family.</summary>
    public static IPAddress KernelAddressOf(AddressFamily family) => IPAddress.Parse(family == AddressFamily.InterNetwork ? KernelAddress : KernelAddressV6);

    /// <summary>An address as it stands before a port, and in a URL.</summary>
    public static string HostOf(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork ? $"{address}" : $"[{address}]";

    public TapwireProgram Program { get; private set; }

    /// <summary>The driver's link.</summary>
    public string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    /// <param name="settings">HOCON for a file that --config names; empty for none.</param>
    /// <param name="arguments">More arguments of <c>tapwire up</c>.</param>
    public static LiveDriver Start(string settings = "", string wire = $"tap:{Device}", params string[] arguments) => Start(AddressFamily.InterNetwork, [], settings, wire, arguments);

    /// <summary>Starts it with addresses of both families, for a spec that uses those of one.</summary>
    public static LiveDriver StartOver(AddressFamily family, string settings = "", string wire = $"tap:{Device}", params string[] arguments) =>
        Start(family, [], settings, wire, family == AddressFamily.InterNetwork ? arguments : [.. V6, .. arguments]);

    /// <summary>Starts it by another program that runs what follows its own arguments, as prlimit does, by becoming it.</summary>
    public static LiveDriver StartBy(string[] launcher, params string[] arguments) => Start(AddressFamily.InterNetwork, launcher, "", $"tap:{Device}", arguments);

    private static LiveDriver Start(AddressFamily family, string[] launcher, string settings, string wire, string[] arguments)
    {
        var network = NetworkNamespace.Create();
        var directory = Directory.CreateTempSubdirectory("tapwire-live-");
        try
        {
            return new LiveDriver(network, directory, family, launcher, ["--wire", wire, .. LiveSettings.WriteTo(directory, settings), .. arguments]);
        }
        catch
        {
            network.Dispose();
            directory.Delete(recursive: true);
            throw;
        }
    }

    /// <summary>Starts the program again, after it has ended; the device that it makes is a new one, and gets the kernel's address.</summary>
    public void Restart() => Program = StartProgram();

    /// <summary>A kernel socket inside the namespace.</summary>
    public Socket KernelSocket(SocketType type = SocketType.Stream) => Namespace.OpenSocket(type, Family);

    /// <summary>Connects a kernel socket to a port of the driver's stack.</summary>
    public async Task<NetworkStream> ConnectFromKernelAsync(int port, int receiveBuffer = 0)
    {
        var socket = KernelSocket();
        try
        {
            socket.NoDelay = true;
            if (receiveBuffer > 0)
                socket.ReceiveBufferSize = receiveBuffer;
            await socket.ConnectAsync(new IPEndPoint(Own, port)).WaitAsync(Patience);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A kernel socket that listens on its end of the wire.</summary>
    public Socket ListenInKernel()
    {
        var socket = KernelSocket();
        socket.Bind(new IPEndPoint(Peer, 0));
        socket.Listen(512);
        return socket;
    }

    /// <summary>A kernel socket for datagrams on its end of the wire.</summary>
    public Socket BindInKernel(AddressFamily? family = null)
    {
        var socket = Namespace.OpenSocket(SocketType.Dgram, family ?? Family);
        socket.Bind(new IPEndPoint(KernelAddressOf(family ?? Family), 0));
        return socket;
    }

    public async Task<TapwireClient> ConnectToLinkAsync() => await TapwireClient.ConnectAsync(LinkPath).WaitAsync(Patience);

    /// <summary>What <c>tapwire status</c> is made from.</summary>
    public async Task<JsonElement> StatusAsync()
    {
        using var client = await ConnectToLinkAsync();
        using var status = JsonDocument.Parse(await client.GetStatusAsync().WaitAsync(Patience));
        return status.RootElement.Clone();
    }

    /// <summary>Waits until something has come true, which must be soon.</summary>
    public static async Task EventuallyAsync(Func<Task<bool>> condition, Func<string> otherwise)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, otherwise());
            await Task.Delay(20);
        }
    }

    /// <summary>Waits until the driver has no more descriptors than it had.</summary>
    public Task DescriptorsAreBackAtAsync(int before) => EventuallyAsync(() => Task.FromResult(Program.Descriptors <= before),
        () => $"The driver had {before} descriptors and has {Program.Descriptors}.");

    /// <summary>Stops the driver, which must end well and have nothing to complain of.</summary>
    public void StopCleanly()
    {
        var ended = Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        AssertQuiet(ended.Error);
    }

    /// <summary>Standard error holds the log, of which a line begins with date, time, offset and level: nothing there is worse than information.</summary>
    public static void AssertQuiet(string log) =>
        Assert.DoesNotContain(log.Split('\n', StringSplitOptions.RemoveEmptyEntries), static line => line.Split(' ') is not [_, _, _, "INF" or "DBG", ..]);

    public void Dispose()
    {
        Namespace.Dispose();
        _directory.Delete(recursive: true);
    }

    private TapwireProgram StartProgram()
    {
        string[] arguments =
        [
            "up", "--address", $"{Address}/24", "--link", LinkPath,
            "--serve", $"echo:{Echo},discard:{Discard},source:{Source},http:{Http}", .. _arguments,
        ];
        var program = _launcher.Length == 0 ? TapwireProgram.Start(Namespace, arguments) : TapwireProgram.StartBy(Namespace, _launcher, arguments);
        program.WaitForLine("tapwire is up");
        Namespace.Ip($"addr add {KernelAddress}/24 dev {Device}");
        return program;
    }
}
