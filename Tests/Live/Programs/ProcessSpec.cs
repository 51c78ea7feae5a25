using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Whatever processes do to themselves, to their children and to their descriptors, their sockets are as the kernel's.</summary>
public abstract class ProcessSpecs(ProgramPath path)
{
    private static readonly string[] s_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

    /// <summary>What processes.c calls its parts. Some need root's rights.</summary>
    public static TheoryData<string, bool> Parts => new()
    {
        { "losing the path", true },
        { "losing the path first", true },
        { "programs of another user", true },
        { "new environments", true },
        { "new environments", false },
        { "children of other calls", true },
        { "children far away", true },
        { "closed unseen", true },
        { "closed unseen", false },
        { "signal handlers", true },
        { "signal handlers", false },
        { "given sockets", true },
        { "given sockets", false },
    };

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public async Task A_process_sees_on_tapwire_what_it_sees_on_the_kernel(string part, bool asRoot)
    {
        path.Need("cc", "python3", "setpriv");
        string[] command = [.. asRoot ? [] : s_nobody, path.Compile("processes"), "OWN", path.KernelAddress, Empty(), part];
        using var echo = await ServeEchoAsync();
        var kernel = path.RunOnKernel([.. command.Select(word => word == "OWN" ? path.KernelAddress : word)]);
        var tapwire = path.RunOnTapwire([.. command.Select(word => word == "OWN" ? path.TapwireAddress : word)]);
        Assert.Equal(kernel, tapwire);
        Assert.NotEqual("", kernel);
    }

    [SkippableFact]
    public async Task An_ordinary_user_who_cannot_reach_the_link_sees_what_root_sees()
    {
        path.Need("cc", "python3", "setpriv");
        var probe = path.Compile("probe");
        using var echo = await ServeEchoAsync();
        foreach (var part in (string[])["other processes", "threads", "forking threads"])
        {
            var kernel = path.RunOnKernel([.. s_nobody, probe, path.KernelAddress, path.KernelAddress, path.Nobody, part]);
            Assert.Equal(kernel, path.RunOnTapwire([.. s_nobody, probe, path.TapwireAddress, path.KernelAddress, path.Nobody, part]));
        }
    }

    [SkippableFact]
    public async Task A_program_with_functions_of_the_same_names_that_make_the_calls_by_number_does_not_recurse()
    {
        path.Need("cc", "python3");
        using var echo = await ServeEchoAsync();
        string[] command = [path.Compile("own_calls"), path.KernelAddress, $"{LiveDriver.Echo}"];
        Assert.Equal("hello\nhello\n6 calls\n", path.RunOnKernel(command));
        Assert.Equal("hello\nhello\n6 calls\n", path.RunOnTapwire(command));
    }

    [SkippableFact]
    public async Task Pools_of_processes_that_python_makes_have_their_sockets()
    {
        path.Need("python3");
        using var echo = await ServeEchoAsync();
        string[] command = ["python3", ProgramPath.SourceOf("pools.py"), path.KernelAddress, $"{LiveDriver.Echo}"];
        Assert.Equal(path.RunOnKernel(command), path.RunOnTapwire(command));
    }

    [SkippableTheory]
    [InlineData("robin", 8310)]
    [InlineData("shared", 8311)]
    public async Task The_workers_of_a_node_cluster_serve_one_port(string way, int port)
    {
        path.Need("node", "nc");
        using var server = await path.ServeOnTapwireAsync(port, "node", ProgramPath.SourceOf("cluster.js"), path.TapwireAddress, $"{port}", way);
        for (var i = 0; i < 6; i++)
            Assert.Equal("from a worker\n", path.RunOnKernel("nc", "-w", "10", path.TapwireAddress, $"{port}"));
    }

    /// <summary>All that was set, its copies and its registrations: see routed.py.</summary>
    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_socket_that_becomes_the_hosts_is_as_if_it_had_always_been(bool hasRoutes)
    {
        path.Need("python3");
        string[] command = ["python3", ProgramPath.SourceOf("routed.py"), hasRoutes ? path.KernelAddress : path.LoopbackAddress];
        var routes = hasRoutes ? path.OtherNetwork : "";
        Assert.Equal(path.RunOnKernel(command), path.RunOnTapwire(["env", $"TAPWIRE_ROUTES={routes}", .. command]));
    }

    [SkippableFact]
    public async Task A_program_whose_environment_is_begun_anew_stays_on_tapwire_and_one_that_is_taken_out_is_said_to_be()
    {
        path.Need("cc", "python3");
        var program = path.Compile("processes");
        using var echo = await ServeEchoAsync();
        Assert.Equal("", path.ErrorOf(program, $"env -i {program} try {path.KernelAddress} && env -i PATH=$PATH sh -c 'env | grep -q TAPWIRE_LINK'"));
        Assert.Equal("", path.ErrorOf(program, $"env -u LD_PRELOAD TAPWIRE_BYPASS=allow {program} try {path.KernelAddress}"));
        Assert.Equal($"tapwire: '{program}' goes round Tapwire, by the host's network: LD_PRELOAD was taken out of its environment. Leave it there, or put TAPWIRE_BYPASS=allow in its place.\n",
            path.ErrorOf(program, $"env -u LD_PRELOAD {program} try {path.KernelAddress}"));
    }

    private Task<ServerProgram> ServeEchoAsync() =>
        path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");

    private string Empty() => Directory.CreateDirectory(Path.Combine(path.Files, "empty")).FullName;
}

[Collection(LiveProgramsCollection.Name)]
public sealed class ProcessSpec(CleanPath path) : ProcessSpecs(path), IClassFixture<CleanPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProcessOverIpv6Spec(CleanPathV6 path) : ProcessSpecs(path), IClassFixture<CleanPathV6>;
