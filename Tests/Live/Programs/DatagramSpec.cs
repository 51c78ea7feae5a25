using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>What comes with datagrams, what may be asked for them, and sockets that share a port: a program sees on Tapwire's sockets what it sees on the kernel's.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class DatagramSpec(CleanPath path) : IClassFixture<CleanPath>
{
    /// <summary>ECHO_PORT in datagrams.c.</summary>
    private const int Echo = 7007;

    /// <summary>What datagrams.c calls its parts.</summary>
    public static TheoryData<string> Parts => ["received", "stamps", "v6", "sent", "segments", "merged", "errors", "corked", "discovered", "same ends", "polled", "sizes", "shared", "only v6"];

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public Task Datagrams_are_on_tapwire_what_they_are_on_the_kernel(string part) => CompareAsync(path, part);

    /// <summary>Runs a part on the kernel's sockets and on Tapwire's, with an echo service on the other's: what it prints has to be the same.</summary>
    internal static async Task CompareAsync(ProgramPath path, string part)
    {
        path.Need("python3");
        var program = path.Compile("datagrams");
        string kernel, tapwire;
        using (var echo = await path.ServeOnTapwireAsync(Echo, "python3", ProgramPath.SourceOf("udp_echo.py"), path.TapwireAddress, $"{Echo}"))
            kernel = path.RunOnKernel(program, path.KernelAddress, path.TapwireAddress, path.Nobody, part);
        using (var echo = await path.ServeOnKernelAsync(Echo, "python3", ProgramPath.SourceOf("udp_echo.py"), path.KernelAddress, $"{Echo}"))
            tapwire = path.RunOnTapwire(program, path.TapwireAddress, path.KernelAddress, path.Nobody, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }

    [SkippableTheory]
    [InlineData("tcp", 5310)]
    [InlineData("udp", 5311)]
    public async Task Workers_on_one_port_share_the_load(string kind, int port)
    {
        path.Need("python3");
        var program = ProgramPath.SourceOf("reuse_port.py");
        using var workers = await path.ServeOnTapwireAsync(port, "python3", program, kind, "serve", ProgramPath.Tapwire, $"{port}", "4");
        string[] ask = ["python3", program, kind, "ask", ProgramPath.Tapwire, $"{port}", "200"];
        await LiveDriver.EventuallyAsync(() => Task.FromResult(path.RunOnKernel([.. ask[..6], "40"]).Contains("workers 4", StringComparison.Ordinal)), () => "Not all workers come up.");
        Assert.Equal("workers 4, lost 0, unstable 0, even True\n", path.RunOnKernel(ask));
    }

    [SkippableFact]
    public void A_sender_of_long_datagrams_asks_for_the_path_once_in_a_while_and_a_sender_of_short_ones_never()
    {
        path.Need("strace", "python3");
        var few = CallsOf(500, 20);
        var many = CallsOf(500, 220);
        Assert.Equal(200, many - few);
        few = CallsOf(1400, 20);
        many = CallsOf(1400, 220);
        Assert.InRange(many - few, 200, 215);
    }

    /// <summary>The calls that a program makes on sockets while it sends.</summary>
    private int CallsOf(int length, int count)
    {
        var log = Path.Combine(path.Files, "calls");
        var script = $"import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nfor i in range({count}): s.sendto(bytes({length}),('{ProgramPath.Kernel}',9))";
        path.RunOnKernel(["strace", "-f", "-e", "trace=sendmsg,sendto,recvmsg,recvfrom,getsockopt,write,read", "-o", log, .. path.OnTapwire("python3", "-c", script)]);
        return File.ReadLines(log).Count(static line => line.Contains("sendmsg(", StringComparison.Ordinal) || line.Contains("sendto(", StringComparison.Ordinal));
    }
}

/// <summary>The same over IPv6, but for ancillary data, which ipv6.py shows.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class DatagramOverIpv6Spec(CleanPathV6 path) : IClassFixture<CleanPathV6>
{
    [SkippableTheory]
    [InlineData("stamps")]
    [InlineData("segments")]
    [InlineData("merged")]
    [InlineData("errors")]
    [InlineData("corked")]
    [InlineData("discovered")]
    [InlineData("same ends")]
    [InlineData("polled")]
    [InlineData("sizes")]
    [InlineData("shared")]
    public Task Datagrams_are_on_tapwire_what_they_are_on_the_kernel(string part) => DatagramSpec.CompareAsync(path, part);
}
