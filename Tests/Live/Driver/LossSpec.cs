using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>The kernel drops 2 % of the packets in each direction, whole super-frames where there are some.</summary>
[Collection(LiveCollection.Name)]
public sealed class LossSpec
{
    private const string Ruleset = """
        table inet loss {
            chain in { type filter hook input priority 0; iifname "tw0" meta l4proto tcp numgen random mod 1000 < 20 counter drop; }
            chain out { type filter hook output priority 0; oifname "tw0" meta l4proto tcp numgen random mod 1000 < 20 counter drop; }
        }
        """;

    [SkippableTheory]
    [InlineData("", AddressFamily.InterNetwork)]
    [InlineData("tapwire.tap.offload = off", AddressFamily.InterNetwork)]
    [InlineData("tapwire.tap { offload = off, software-offload = off }", AddressFamily.InterNetwork)]
    [InlineData("", AddressFamily.InterNetworkV6)]
    [InlineData("tapwire.tap.offload = off", AddressFamily.InterNetworkV6)]
    [InlineData("tapwire.tap { offload = off, software-offload = off }", AddressFamily.InterNetworkV6)]
    public async Task Transfers_end_intact_in_both_directions(string settings, AddressFamily family)
    {
        using var driver = LiveDriver.StartOver(family, settings);
        var available = driver.Namespace.TryExec("nft", Ruleset);
        Skip.If(available.ExitCode == 127, "there is no 'nft' command");
        Assert.True(available.ExitCode == 0, available.Error);

        await Task.WhenAll(Enumerable.Range(0, 4).Select(async i =>
        {
            await using var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
            await Transfer.EchoAsync(connection, LiveSize.Bulk / 8, seed: i);
        }));

        var counters = driver.Namespace.Exec("nft", "list", "ruleset");
        Assert.DoesNotContain("packets 0 ", counters, StringComparison.Ordinal);
        driver.StopCleanly();
    }
}
