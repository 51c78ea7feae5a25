using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>Two kernels, each in a namespace of its own, and a running <c>tapwire cable</c> between them.</summary>
internal sealed class LiveCable : IDisposable
{
    public const string LeftAddress = "10.97.0.1";
    public const string RightAddress = "10.97.0.2";
    public const string LeftDevice = "ca";
    public const string RightDevice = "cb";

    private LiveCable(string kind, string[] arguments)
    {
        Left = Quiet(NetworkNamespace.Create());
        Right = Quiet(NetworkNamespace.Create());
        Program = TapwireProgram.Start(Left, ["cable", "--a", $"{kind}:{LeftDevice}", "--b", $"{kind}:{RightDevice}", .. arguments]);
        Program.WaitForLine("tapwire cable is up");
        ConnectLeft();
        Left.Ip($"link set {RightDevice} netns {Right.Name}");
        Right.Ip($"addr add {RightAddress}/24 dev {RightDevice}");
        Right.Ip($"link set {RightDevice} up");
    }

    /// <summary>The program runs here, too.</summary>
    public NetworkNamespace Left { get; }

    public NetworkNamespace Right { get; }

    public TapwireProgram Program { get; }

    public static LiveCable Start(params string[] arguments) => new("tap", arguments);

    public static LiveCable StartTun(params string[] arguments) => new("tun", arguments);

    /// <summary>Nothing but what a spec sends passes the cable: a kernel with IPv6 announces itself.</summary>
    public static NetworkNamespace Quiet(NetworkNamespace network)
    {
        network.Sysctl("net/ipv6/conf/all/disable_ipv6", "1");
        network.Sysctl("net/ipv6/conf/default/disable_ipv6", "1");
        return network;
    }

    /// <summary>Gives the left device its address, also after it has been made anew.</summary>
    public void ConnectLeft() => Left.Ip($"addr add {LeftAddress}/24 dev {LeftDevice}");

    public string Ping(params string[] arguments) => Left.TryExec("ping", [.. arguments, RightAddress]).Output;

    /// <summary>Stops the program, which must end well, and returns its counters.</summary>
    public CableTable Stop()
    {
        var ended = Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        return CableTable.Parse(ended.Output);
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
    }
}
