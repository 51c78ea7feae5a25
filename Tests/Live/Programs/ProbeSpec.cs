using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>A program that tries what programs do with sockets sees the same on Tapwire's as on the kernel's.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProbeSpec(CleanPath path) : IClassFixture<CleanPath>
{
    private const string Nowhere = "10.99.0.77";

    [SkippableTheory]
    [InlineData("blocking connect")]
    [InlineData("refused")]
    [InlineData("connect without waiting")]
    [InlineData("refused without waiting")]
    [InlineData("connect to nobody")]
    [InlineData("listen and accept")]
    [InlineData("half-close")]
    [InlineData("reset")]
    [InlineData("other processes")]
    [InlineData("another user")]
    [InlineData("datagrams")]
    [InlineData("options")]
    [InlineData("interrupted")]
    [InlineData("bindings")]
    [InlineData("threads")]
    [InlineData("mapped")]
    [InlineData("loopback")]
    [InlineData("moving data")]
    public async Task The_probe_sees_on_tapwire_what_it_sees_on_the_kernel(string part)
    {
        path.Need("cc", "python3");
        var probe = Path.Combine(path.Files, "probe");
        if (!File.Exists(probe))
            path.RunOnKernel("cc", "-std=gnu11", "-O1", "-Wall", "-Wno-unused-result", "-o", probe, ProgramPath.SourceOf("probe.c"), "-pthread");
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), ProgramPath.Kernel, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(probe, ProgramPath.Kernel, ProgramPath.Tapwire, Nowhere, part);
        var tapwire = path.RunOnTapwire(probe, ProgramPath.Tapwire, ProgramPath.Kernel, Nowhere, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }
}
