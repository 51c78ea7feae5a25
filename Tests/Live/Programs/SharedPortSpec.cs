using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Workers on one port of a driver with two shards, on both of which they have sockets.</summary>
public abstract class SharedPortSpecs(ProgramPath path)
{
    [SkippableTheory]
    [InlineData("tcp", 5310)]
    [InlineData("udp", 5311)]
    public async Task Workers_share_the_load_of_the_kernels_clients_and_of_the_drivers_own(string kind, int port)
    {
        path.Need("python3");
        var program = ProgramPath.SourceOf("reuse_port.py");
        using var workers = await path.ServeOnTapwireAsync(port, "python3", program, kind, "serve", path.TapwireAddress, $"{port}", "3");
        string[] ask = ["python3", program, kind, "ask", path.TapwireAddress, $"{port}", "300"];
        await LiveDriver.EventuallyAsync(() => Task.FromResult(path.RunOnKernel([.. ask[..6], "40"]).Contains("workers 3", StringComparison.Ordinal)), () => "Not all workers come up.");
        Assert.Equal("workers 3, lost 0, unstable 0, even True\n", path.RunOnKernel(ask));
        Assert.Equal("workers 3, lost 0, unstable 0, even True\n", path.RunOnTapwire(ask));
        Assert.False((await path.Driver.StatusAsync()).GetProperty("counters").TryGetProperty("TcpOutRsts", out var resets), $"{resets} resets");
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class SharedPortSpec(ShardedPath path) : SharedPortSpecs(path), IClassFixture<ShardedPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class SharedPortOverIpv6Spec(ShardedPathV6 path) : SharedPortSpecs(path), IClassFixture<ShardedPathV6>;

/// <summary>A driver of two shards.</summary>
public sealed class ShardedPath() : ProgramPath("tapwire.shards = 2", "");

/// <summary>The same with IPv6 addresses.</summary>
public sealed class ShardedPathV6() : ProgramPath("tapwire.shards = 2", "", isV6: true);
