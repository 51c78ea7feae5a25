using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Sockets that have ended, options, calls and interfaces: a program sees the same on Tapwire's as on the kernel's.</summary>
public abstract class SocketsSpecs(ProgramPath path)
{
    /// <summary>What sockets.c calls its parts.</summary>
    public static TheoryData<string> Parts => ["ended", "writers", "stream calls", "every option", "connecting", "interfaces"];

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public async Task The_program_sees_on_tapwire_what_it_sees_on_the_kernel(string part)
    {
        path.Need("cc", "python3");
        var program = path.Compile("sockets");
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var kernel = path.RunOnKernel(program, path.KernelAddress, path.TapwireAddress, path.Nobody, part);
        var tapwire = path.RunOnTapwire(program, path.TapwireAddress, path.KernelAddress, path.Nobody, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }

    /// <summary>It binds the address of every interface that it finds, and tells them apart by name.</summary>
    [SkippableFact]
    public async Task A_name_server_answers_at_the_address_of_each_interface()
    {
        path.Need("named", "dig");
        var configuration = Path.Combine(path.Files, "named.conf");
        File.WriteAllText(Path.Combine(path.Files, "zone"), "$TTL 60\n@ IN SOA a.t. b.t. 1 1 1 1 1\n@ IN NS a.t.\na IN A 10.1.2.3\n");
        File.WriteAllText(configuration, $$"""
            options { directory "{{path.Files}}"; listen-on { any; }; listen-on-v6 { any; }; recursion no; dnssec-validation no; notify no; pid-file none; session-keyfile none; };
            zone "t" { type primary; file "zone"; };
            controls { };
            """);
        using var server = await path.ServeOnTapwireAsync(53, "named", "-g", "-c", configuration);
        // It listens before it has read its zones.
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Ask("+tcp", path.TapwireAddress) == "10.1.2.3"), () => "The zone is not read.");
        foreach (var (transport, address) in new[] { ("+notcp", path.TapwireAddress), ("+tcp", path.TapwireAddress), ("+notcp", path.LoopbackAddress) })
            Assert.Equal("10.1.2.3", Ask(transport, address));

        string Ask(string transport, string address) => path.Driver.Namespace.TryExec("dig", "+short", transport, $"@{address}", "a.t").Output.Trim();
    }

    [SkippableFact]
    public void When_the_driver_is_gone_sockets_are_still_sockets()
    {
        using var driver = LiveDriver.StartOver(path.Driver.Family);
        path.Need("python3");
        var output = driver.Namespace.Exec("env", $"LD_PRELOAD={Path.Combine(path.Files, "libtapwire.so")}", $"TAPWIRE_LINK={driver.LinkPath}",
            "python3", ProgramPath.SourceOf("driver_gone.py"), path.TapwireAddress, $"{driver.Program.Pid}");
        Assert.Equal($"""
            connection: True Transport endpoint is not connected
            options: None 1 64 Protocol not available
            read: Connection reset by peer b''
            listener: ('{path.AnyAddress}', 5400) None Invalid argument
            datagrams: ('{path.AnyAddress}', 5401) None Network is down
            new: Network is down
            """, output.Trim());
    }

    [SkippableFact]
    public async Task A_server_of_asyncio_keeps_no_descriptor_of_clients_that_have_reset()
    {
        path.Need("python3");
        using var server = await path.ServeOnTapwireAsync(5300, "python3", ProgramPath.SourceOf("reset_server.py"), path.TapwireAddress, "5300");
        path.RunOnKernel("python3", ProgramPath.SourceOf("reset_client.py"), path.TapwireAddress, "5300", "89");
        server.WaitForExit();
        Assert.Contains("more descriptors: 0", server.Output, StringComparison.Ordinal);
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class SocketsSpec(CleanPath path) : SocketsSpecs(path), IClassFixture<CleanPath>
{
    private readonly CleanPath _path = path;

    /// <summary>What options.c calls its parts.</summary>
    public static TheoryData<string> OptionParts => ["lengths", "foreign levels", "values", "buffers", "multicast interface", "unprivileged", "peek offset"];

    [SkippableTheory]
    [MemberData(nameof(OptionParts))]
    public void An_option_of_any_level_and_length_is_answered_as_the_kernel_answers_it(string part)
    {
        _path.Need("cc");
        var program = _path.Compile("options");
        var kernel = _path.RunOnKernel(program, ProgramPath.Kernel, ProgramPath.Tapwire, _path.Nobody, part);
        var tapwire = _path.RunOnTapwire(program, _path.TapwireAddress, _path.KernelAddress, _path.Nobody, part);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 2, kernel);
    }
}

/// <summary>The same over IPv6, but for options: those are of sockets of both families.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class SocketsOverIpv6Spec(CleanPathV6 path) : SocketsSpecs(path), IClassFixture<CleanPathV6>;
