using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>A program that tries what programs do with sockets sees the same on Tapwire's as on the kernel's.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProbeSpec(CleanPath path) : IClassFixture<CleanPath>
{
    internal const string Nowhere = "10.99.0.77";

    /// <summary>What probe.c calls its parts.</summary>
    public static TheoryData<string> Parts =>
    [
        "blocking connect",
        "refused",
        "connect without waiting",
        "refused without waiting",
        "connect to nobody",
        "listen and accept",
        "half-close",
        "reset",
        "other processes",
        "another user",
        "datagrams",
        "options",
        "interrupted",
        "bindings",
        "threads",
        "mapped",
        "loopback",
        "moving data",
        "many vectors",
        "malformed messages",
        "lengths and pointers",
        "closed behind",
        "forking threads",
    ];

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public async Task The_probe_sees_on_tapwire_what_it_sees_on_the_kernel(string part)
    {
        path.Need("cc", "python3");
        var probe = BuildProbe(path);
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), ProgramPath.Kernel, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(probe, ProgramPath.Kernel, ProgramPath.Tapwire, Nowhere, part);
        var tapwire = path.RunOnTapwire(probe, ProgramPath.Tapwire, ProgramPath.Kernel, Nowhere, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }

    /// <summary>The program, compiled once for a path.</summary>
    internal static string BuildProbe(ProgramPath path)
    {
        var probe = Path.Combine(path.Files, "probe");
        if (!File.Exists(probe))
            path.RunOnKernel("cc", "-std=gnu11", "-O1", "-Wall", "-Wno-unused-result", "-Wno-stringop-overflow", "-o", probe, ProgramPath.SourceOf("probe.c"), "-pthread");
        return probe;
    }
}
