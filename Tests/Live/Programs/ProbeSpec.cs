using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>A program that tries what programs do with sockets sees the same on Tapwire's as on the kernel's.</summary>
public abstract class ProbeSpecs(ProgramPath path)
{
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
        var probe = path.Compile("probe");
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(probe, path.KernelAddress, path.TapwireAddress, path.Nobody, part);
        var tapwire = path.RunOnTapwire(probe, path.TapwireAddress, path.KernelAddress, path.Nobody, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class ProbeSpec(CleanPath path) : ProbeSpecs(path), IClassFixture<CleanPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProbeOverIpv6Spec(CleanPathV6 path) : ProbeSpecs(path), IClassFixture<CleanPathV6>;
