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
    public Task The_probe_sees_on_tapwire_what_it_sees_on_the_kernel(string part) => CompareAsync(path, "probe", part);

    /// <summary>Runs a part of a program on the kernel's sockets and on Tapwire's, with an echo service of the kernel: what it prints has to be the same.</summary>
    internal static async Task CompareAsync(ProgramPath path, string program, string part)
    {
        path.Need("python3");
        var compiled = path.Compile(program);
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(compiled, path.KernelAddress, path.TapwireAddress, path.Nobody, part);
        var tapwire = path.RunOnTapwire(compiled, path.TapwireAddress, path.KernelAddress, path.Nobody, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }
}

/// <summary>What of these programs has a family, built for IPv6: the rest is about options of IPv4, or about none.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProbeOverIpv6Spec(CleanPathV6 path) : IClassFixture<CleanPathV6>
{
    public static TheoryData<string, string> Parts => new()
    {
        { "probe", "blocking connect" },
        { "probe", "refused" },
        { "probe", "connect without waiting" },
        { "probe", "refused without waiting" },
        { "probe", "connect to nobody" },
        { "probe", "listen and accept" },
        { "probe", "half-close" },
        { "probe", "reset" },
        { "probe", "other processes" },
        { "probe", "another user" },
        { "probe", "datagrams" },
        { "probe", "bindings" },
        { "probe", "threads" },
        { "probe", "loopback" },
        { "probe", "moving data" },
        { "probe", "many vectors" },
        { "probe", "malformed messages" },
        { "probe", "lengths and pointers" },
        { "probe", "closed behind" },
        { "probe", "forking threads" },
        { "sockets", "ended" },
        { "sockets", "writers" },
        { "sockets", "stream calls" },
        { "sockets", "connecting" },
    };

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public Task A_program_sees_on_tapwire_what_it_sees_on_the_kernel(string program, string part) => ProbeSpec.CompareAsync(path, program, part);

    /// <summary>What processes.c calls its parts.</summary>
    [SkippableTheory]
    [InlineData("losing the path")]
    [InlineData("programs of another user")]
    [InlineData("new environments")]
    [InlineData("children far away")]
    [InlineData("signal handlers")]
    [InlineData("given sockets")]
    public async Task A_process_sees_on_tapwire_what_it_sees_on_the_kernel(string part)
    {
        path.Need("python3", "setpriv");
        var program = path.Compile("processes");
        var empty = Directory.CreateDirectory(Path.Combine(path.Files, "empty")).FullName;
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(program, path.KernelAddress, path.KernelAddress, empty, part);
        Assert.Equal(kernel, path.RunOnTapwire(program, path.TapwireAddress, path.KernelAddress, empty, part));
        Assert.NotEqual("", kernel);
    }
}
