using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Echo requests of the kernel's ping, and of ours.</summary>
public abstract partial class PingSpecs(SharedDriver shared, ITestOutputHelper output)
{
    [SkippableFact]
    public void A_hundred_pings_ten_milliseconds_apart_are_all_answered()
    {
        var report = shared.Driver.Namespace.Exec("ping", "-c", "100", "-i", "0.01", "-W", "10", $"{shared.Driver.Own}");
        Assert.Contains("100 packets transmitted, 100 received, 0% packet loss", report, StringComparison.Ordinal);
        Assert.DoesNotContain("duplicates", report, StringComparison.Ordinal);

        var times = RoundTrip().Matches(report).Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Order().ToList();
        output.WriteLine($"ping: p50 {times[49]} ms, p99 {times[98]} ms, least {times[0]} ms");
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(56)]
    [InlineData(1399)]
    [InlineData(-1)]
    public void A_ping_of_any_size_up_to_the_MTU_comes_back_as_it_was_sent(int size)
    {
        if (size < 0)
            size = shared.Driver.Family == AddressFamily.InterNetwork ? 1472 : 1452; // the most that goes in one packet of 1,500 bytes

        // ping compares the payload itself, and says "wrong data byte".
        var report = shared.Driver.Namespace.Exec("ping", "-c", "3", "-i", "0.01", "-W", "10", "-M", "do", "-s", $"{size}", $"{shared.Driver.Own}");
        Assert.Contains(" 3 received", report, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong", report, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Tapwire_ping_reaches_the_kernel_through_the_running_driver()
    {
        var driver = shared.Driver;
        var ended = TapwireProgram.Run(driver.Namespace, "ping", $"{driver.Peer}", "-c", "3", "-i", "10ms", "--link", driver.LinkPath);
        Assert.Equal("", ended.Error);
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("3 sent, 3 received, 0% lost", ended.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Tapwire_ping_of_a_host_that_is_not_there_fails_with_one_line()
    {
        var driver = shared.Driver;
        var ended = TapwireProgram.Run(driver.Namespace, "ping", $"{driver.Nobody}", "-c", "1", "--timeout", "300ms", "--link", driver.LinkPath);
        Assert.Equal($"tapwire: {driver.Nobody} does not answer.\n", ended.Error);
        Assert.Equal(1, ended.ExitCode);
    }

    [SkippableFact]
    public void Tapwire_status_tells_of_the_running_driver()
    {
        var driver = shared.Driver;
        var text = TapwireProgram.Run(driver.Namespace, "status", "--link", driver.LinkPath);
        Assert.Equal("", text.Error);
        Assert.Equal(0, text.ExitCode);
        Assert.Contains("10.99.0.2/24", text.Output, StringComparison.Ordinal);

        var json = TapwireProgram.Run(driver.Namespace, "status", "--json", "--link", driver.LinkPath);
        Assert.Equal(0, json.ExitCode);
        using var document = System.Text.Json.JsonDocument.Parse(json.Output);
        Assert.True(document.RootElement.GetProperty("wire").GetProperty("up").GetBoolean());
    }

    [GeneratedRegex(@"time=([\d.]+) ms")]
    private static partial Regex RoundTrip();
}

[Collection(LiveCollection.Name)]
public sealed class PingSpec(SharedDriver shared, ITestOutputHelper output) : PingSpecs(shared, output), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class PingOverIpv6Spec(SharedDriverV6 shared, ITestOutputHelper output) : PingSpecs(shared, output), IClassFixture<SharedDriverV6>;
