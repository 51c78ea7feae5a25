using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Whatever processes do to themselves, to their children and to their descriptors, their sockets are as the kernel's.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProcessSpec(CleanPath path) : IClassFixture<CleanPath>
{
    private const string Remedy = "Use 'tapwire run --netns', or --allow-bypass, which keeps this silent.";
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
        string[] command = [.. asRoot ? [] : s_nobody, Program("processes"), "OWN", ProgramPath.Kernel, Empty(), part];
        using var echo = await ServeEchoAsync();
        var kernel = path.RunOnKernel([.. command.Select(static word => word == "OWN" ? ProgramPath.Kernel : word)]);
        var tapwire = path.RunOnTapwire([.. command.Select(static word => word == "OWN" ? ProgramPath.Tapwire : word)]);
        Assert.Equal(kernel, tapwire);
        Assert.NotEqual("", kernel);
    }

    [SkippableFact]
    public async Task An_ordinary_user_who_cannot_reach_the_link_sees_what_root_sees()
    {
        path.Need("cc", "python3", "setpriv");
        var probe = ProbeSpec.BuildProbe(path);
        using var echo = await ServeEchoAsync();
        foreach (var part in (string[])["other processes", "threads", "forking threads"])
        {
            var kernel = path.RunOnKernel([.. s_nobody, probe, ProgramPath.Kernel, ProgramPath.Kernel, ProbeSpec.Nowhere, part]);
            Assert.Equal(kernel, path.RunOnTapwire([.. s_nobody, probe, ProgramPath.Tapwire, ProgramPath.Kernel, ProbeSpec.Nowhere, part]));
        }
    }

    [SkippableFact]
    public async Task A_program_with_functions_of_the_same_names_that_make_the_calls_by_number_does_not_recurse()
    {
        path.Need("cc", "python3");
        using var echo = await ServeEchoAsync();
        string[] command = [Program("own_calls"), ProgramPath.Kernel, $"{LiveDriver.Echo}"];
        Assert.Equal("hello\nhello\n6 calls\n", path.RunOnKernel(command));
        Assert.Equal("hello\nhello\n6 calls\n", path.RunOnTapwire(command));
    }

    [SkippableFact]
    public async Task Pools_of_processes_that_python_makes_have_their_sockets()
    {
        path.Need("python3");
        using var echo = await ServeEchoAsync();
        string[] command = ["python3", ProgramPath.SourceOf("pools.py"), ProgramPath.Kernel, $"{LiveDriver.Echo}"];
        Assert.Equal(path.RunOnKernel(command), path.RunOnTapwire(command));
    }

    [SkippableTheory]
    [InlineData("robin", 8310)]
    [InlineData("shared", 8311)]
    public async Task The_workers_of_a_node_cluster_serve_one_port(string way, int port)
    {
        path.Need("node", "nc");
        using var server = await path.ServeOnTapwireAsync(port, "node", ProgramPath.SourceOf("cluster.js"), ProgramPath.Tapwire, $"{port}", way);
        for (var i = 0; i < 6; i++)
            Assert.Equal("from a worker\n", path.RunOnKernel("nc", "-w", "10", ProgramPath.Tapwire, $"{port}"));
    }

    /// <summary>All that was set, its copies and its registrations: see routed.py.</summary>
    [SkippableTheory]
    [InlineData("127.0.0.1", "")]
    [InlineData(ProgramPath.Kernel, "10.50.0.0/16")]
    public void A_socket_that_becomes_the_hosts_is_as_if_it_had_always_been(string host, string routes)
    {
        path.Need("python3");
        string[] command = ["python3", ProgramPath.SourceOf("routed.py"), host];
        Assert.Equal(path.RunOnKernel(command), path.RunOnTapwire(["env", $"TAPWIRE_ROUTES={routes}", .. command]));
    }

    [SkippableTheory]
    [InlineData("cc -static -o PROGRAM plain.c", "it is linked statically")]
    [InlineData("cc -static-pie -o PROGRAM plain.c", "it is linked statically")]
    [InlineData("cc -static -o PROGRAM.bin plain.c && printf '#!%s\\n' PROGRAM.bin >PROGRAM && chmod 755 PROGRAM",
        "'PROGRAM.bin', which it names in its first line: it is linked statically")]
    [InlineData("musl-gcc -o PROGRAM plain.c", "it is linked with another C library than Tapwire (its loader is ld-musl-x86_64.so.1)")]
    [InlineData("cc -o PROGRAM plain.c && chown 65533 PROGRAM && chmod 4755 PROGRAM", "it is a setuid program, for which the system ignores LD_PRELOAD")]
    [InlineData("mkdir -p PROGRAM.d && cp plain.go PROGRAM.d/main.go && cd PROGRAM.d && GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=0 go build -o PROGRAM main.go",
        "it is a Go program, which calls the kernel without the C library")]
    [InlineData("cc -o PROGRAM plain.c", "")]
    public void A_program_that_goes_round_tapwire_is_said_to_once(string build, string reason)
    {
        path.Need("cc");
        File.WriteAllText(Path.Combine(path.Files, "plain.c"), "#include <stdio.h>\nint main(void) { puts(\"has run\"); return 0; }\n");
        File.WriteAllText(Path.Combine(path.Files, "plain.go"), "package main\nfunc main() { print(\"\"); println(\"\") }\n");
        var program = Path.Combine(path.Files, $"round-{build.Length}-{reason.Length}");
        var built = path.Driver.Namespace.TryExec("sh", "-c", $"cd {path.Files} && {build.Replace("PROGRAM", program, StringComparison.Ordinal)}");
        Skip.If(built.ExitCode != 0, $"it cannot be built here: {built.Error}");
        Assert.Equal(reason.Length == 0 ? "" : $"tapwire: '{program}' goes round Tapwire, by the host's network: {reason.Replace("PROGRAM", program, StringComparison.Ordinal)}. {Remedy}\n", ErrorOf(program, $"{program}; {program}; ({program}; {program})"));
        Assert.Equal("", ErrorOf(program, $"TAPWIRE_BYPASS=allow {program}"));
        Assert.Equal("", ErrorOf(program, $"{program} 2>/dev/null"));
    }

    [SkippableFact]
    public async Task A_program_whose_environment_is_begun_anew_stays_on_tapwire_and_one_that_is_taken_out_is_said_to_be()
    {
        path.Need("cc", "python3");
        var program = Program("processes");
        using var echo = await ServeEchoAsync();
        Assert.Equal("", ErrorOf(program, $"env -i {program} try {ProgramPath.Kernel} && env -i PATH=$PATH sh -c 'env | grep -q TAPWIRE_LINK'"));
        Assert.Equal("", ErrorOf(program, $"env -u LD_PRELOAD TAPWIRE_BYPASS=allow {program} try {ProgramPath.Kernel}"));
        Assert.Equal($"tapwire: '{program}' goes round Tapwire, by the host's network: LD_PRELOAD was taken out of its environment. Leave it there, or put TAPWIRE_BYPASS=allow in its place.\n",
            ErrorOf(program, $"env -u LD_PRELOAD {program} try {ProgramPath.Kernel}"));
    }

    /// <summary>What a shell on Tapwire has on standard error from a script, which has to succeed.</summary>
    private string ErrorOf(string program, string script)
    {
        var ended = path.Driver.Namespace.TryExec("env", path.OnTapwire("sh", "-c", script)[1..]);
        // Go's own output is on standard error.
        var error = string.Concat(ended.Error.Split('\n').Where(static line => line.Length > 0).Select(static line => $"{line}\n"));
        Assert.True(ended.ExitCode == 0, $"{program}: exit {ended.ExitCode}: {ended.Output}{ended.Error}");
        return error;
    }

    private Task<ServerProgram> ServeEchoAsync() =>
        path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), ProgramPath.Kernel, $"{LiveDriver.Echo}");

    private string Empty() => Directory.CreateDirectory(Path.Combine(path.Files, "empty")).FullName;

    private string Program(string name)
    {
        var program = Path.Combine(path.Files, name);
        if (!File.Exists(program))
            path.RunOnKernel("cc", "-std=gnu11", "-O1", "-Wall", "-Wno-unused-result", "-o", program, ProgramPath.SourceOf($"{name}.c"), "-pthread");
        return program;
    }
}
