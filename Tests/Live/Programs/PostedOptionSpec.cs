using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Options of which the driver's answer is certain are set without waiting for it, but by threads, whose requests would overtake each other; and with an older driver, too, none is
/// lost.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class PostedOptionSpec(CleanPath path) : IClassFixture<CleanPath>
{
    [SkippableTheory]
    [InlineData("takes", "1 28 9 28 28 9 9 9 10")]
    [InlineData("threads", "1 9 9 9 9 9 9 10")]
    [InlineData("refuses", "1 28 9 9 9 9 9 9 10")]
    public void The_first_is_sent_in_both_ways_and_the_others_as_the_driver_can(string driver, string requests)
    {
        path.Need("python3");
        var link = Path.Combine(path.Files, $"{driver}.sock");
        Assert.Equal(requests, path.RunOnKernel("env", $"LD_PRELOAD={Path.Combine(path.Files, "libtapwire.so")}", $"TAPWIRE_LINK={link}",
            "python3", ProgramPath.SourceOf("posted_options.py"), link, driver).Trim());
    }
}
