using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary><c>tapwire up</c> on a TAP device, with the services in the driver, or in the program that serves for the kernel, under <c>tapwire run</c>.</summary>
internal sealed class TapwireDriver(string name, string title, bool superFrames, bool byLink, string settings) : Contestant(name, title, Role.Ours, superFrames)
{
    private const string MetricsAddress = "127.0.0.1:9464";

    private string _link = "";

    public override bool RunsPrograms => byLink;

    /// <summary>Its metrics are read each second.</summary>
    public bool IsObserved { get; private init; }

    public static TapwireDriver WithOffloads(string settings, int family) =>
        new("tapwire", "Tapwire, TAP with offloads", superFrames: true, byLink: false, settings) { Family = family };

    /// <summary>What it costs to be looked at: beside <see cref="WithOffloads"/>.</summary>
    public static TapwireDriver Observed(string settings, int family) =>
        new("tapwire-observed", "Tapwire, TAP with offloads, metrics", superFrames: true, byLink: false, $"tapwire.metrics.listen = \"{MetricsAddress}\"\n{settings}") { Family = family, IsObserved = true };

    public static TapwireDriver Plain(string settings, int family) =>
        new("tapwire-plain", "Tapwire, TAP without offloads", superFrames: false, byLink: false, $"tapwire.tap.offload = off\n{settings}") { Family = family };

    public static TapwireDriver WithApplication(string settings, int family) =>
        new("tapwire-link", "Tapwire, application on the link", superFrames: true, byLink: true, settings) { Family = family };

    public override void RunServer(IReadOnlyList<string> command) => StartTapwire(Near, ["run", "--link", _link, "--", .. command]);

    protected override int Launch()
    {
        var directory = NewDirectory();
        var config = Path.Combine(directory, "bench.hocon");
        File.WriteAllText(config, settings);
        _link = Path.Combine(directory, "link.sock");
        string[] serve = byLink ? [] : ["--serve", $"echo:{ClientMeasurement.Echo},discard:{ClientMeasurement.Discard},source:{ClientMeasurement.Source}"];
        var driver = StartTapwire(Near, ["up", "--wire", $"tap:{Device}", "--address", $"{StackAddress}/{Prefix}", "--link", _link, "--config", config, .. serve]);
        driver.WaitForLine("tapwire is up");
        TakeDevice();
        if (IsObserved)
            Start(Near, "sh", "-c", $"while sleep 1; do curl -s -o /dev/null http://{MetricsAddress}/metrics; done");
        if (byLink)
            RunServer([Programs.KernelServer, $"{Family}"]);
        return driver.Pid;
    }
}
