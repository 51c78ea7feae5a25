using System.Text.Json;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary><c>tapwire doctor</c> on this machine, whatever it lacks.</summary>
[Collection(LiveCollection.Name)]
public sealed class DoctorSpec
{
    [SkippableFact]
    public void It_looks_at_everything_changes_nothing_and_fails_only_where_something_is_missing()
    {
        using var network = NetworkNamespace.Create();
        var before = network.Ip("link");
        var run = TapwireProgram.Run(network, "doctor");
        foreach (var subject in (string[])["system", "TAP devices", "privilege", "offloads", "open files", "socket buffers", "processors", "tapwire run", "link", "settings"])
            Assert.Matches($"(?m)^(ok|limited|missing) +{subject}  ", run.Output);
        Assert.Equal((run.Output.Contains("missing ", StringComparison.Ordinal) ? 1 : 0, ""), (run.ExitCode, run.Error));
        Assert.Equal(before, network.Ip("link"));
    }

    [SkippableFact]
    public void The_settings_that_are_named_are_read()
    {
        using var network = NetworkNamespace.Create();
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, "tapwire.mtu = 7\n");
            var run = TapwireProgram.Run(network, "doctor", "--json", "--config", file);
            Assert.Equal((1, ""), (run.ExitCode, run.Error));
            var settings = JsonDocument.Parse(run.Output).RootElement.EnumerateArray().Single(static finding => finding.GetProperty("subject").GetString() == "settings");
            Assert.Equal("missing", settings.GetProperty("verdict").GetString());
            Assert.StartsWith($"{file} line 1: tapwire.mtu is \"7\"", settings.GetProperty("remedy").GetString(), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
