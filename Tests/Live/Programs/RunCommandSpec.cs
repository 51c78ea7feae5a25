using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary><c>tapwire run</c>: on a driver that runs, on one of its own, and what becomes of exit codes and signals.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class RunCommandSpec(CleanPath path) : IClassFixture<CleanPath>
{
    private const string OwnWire = "tw9";
    private const string OwnAddress = "10.98.0.2";

    [SkippableFact]
    public async Task A_program_runs_on_the_driver_that_is_there()
    {
        path.Need("curl", "python3");
        using var server = await path.ServeFilesAsync(8100);
        var ended = Run("--", "curl", "-sS", $"http://{ProgramPath.Kernel}:8100/small");
        Assert.Equal((0, "small\n", ""), (ended.ExitCode, ended.Output, ended.Error));
    }

    [SkippableTheory]
    [InlineData(7, "exit 7")]
    [InlineData(143, "kill -TERM $$")]
    [InlineData(0, "kill -PIPE $$; exit 9", 141)]
    public void The_exit_code_is_the_programs(int code, string script, int other = -1) =>
        Assert.Equal(other >= 0 ? other : code, Run("--", "sh", "-c", script).ExitCode);

    [SkippableFact]
    public void The_program_has_the_limit_on_open_files_that_it_would_have_had()
    {
        var limit = path.RunOnKernel("sh", "-c", $"ulimit -Sn 777; {TapwireProgram.Host} exec {TapwireProgram.Assembly} run --link {path.Driver.LinkPath} -- sh -c 'ulimit -Sn'");
        Assert.Equal("777\n", limit);
    }

    [SkippableFact]
    public void A_program_that_is_not_there_is_127()
    {
        var ended = Run("--", "no-such-program");
        Assert.Equal(127, ended.ExitCode);
        Assert.Equal("tapwire: 'no-such-program' cannot be run: there is no such program in PATH; write its path, as in ./no-such-program.\n", ended.Error);
    }

    [SkippableFact]
    public void A_program_that_would_have_the_hosts_network_is_refused_unless_it_is_allowed()
    {
        path.Need("cc");
        var program = Path.Combine(path.Files, "static");
        var source = Path.Combine(path.Files, "static.c");
        File.WriteAllText(source, "#include <stdlib.h>\nint main(void) { return getenv(\"TAPWIRE_BYPASS\") != NULL ? 5 : 6; }\n");
        Skip.If(path.Driver.Namespace.TryExec("cc", "-static", "-o", program, source).ExitCode != 0, "there is no static C library");
        var refused = Run("--", program);
        Assert.Equal((126, ""), (refused.ExitCode, refused.Output));
        Assert.Contains("would go round Tapwire, by the host's network: it is linked statically", refused.Error, StringComparison.Ordinal);
        Assert.Equal(5, Run("--allow-bypass", "--", program).ExitCode);
    }

    [SkippableFact]
    public void Without_a_driver_it_says_what_to_do()
    {
        var ended = TapwireProgram.Run(path.Driver.Namespace, "run", "--link", "/tmp/no-such-link", "--", "true");
        Assert.Equal(1, ended.ExitCode);
        Assert.Contains("start one with 'tapwire up'", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_driver_of_its_own_and_a_running_one_exclude_each_other()
    {
        var ended = Run("--address", $"{OwnAddress}/24", "--", "true");
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("give one or the other", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_driver_of_its_own_lives_as_long_as_the_program()
    {
        path.Need("curl", "python3");
        var temporary = Directory.CreateDirectory(Path.Combine(path.Files, "temporary")).FullName;
        var ended = OwnDriver(temporary, "sh", "-c", $"""
            ip addr add 10.98.0.1/24 dev {OwnWire}
            env -u LD_PRELOAD TAPWIRE_BYPASS=allow python3 -m http.server -d {path.Files} --bind 10.98.0.1 8101 >/dev/null 2>&1 &
            until env -u LD_PRELOAD TAPWIRE_BYPASS=allow curl -s -o /dev/null http://10.98.0.1:8101/small; do :; done
            curl -sS http://10.98.0.1:8101/small
            kill $!
            exit 3
            """).WaitForExit();
        Assert.Equal((3, "small\n", ""), (ended.ExitCode, ended.Output, ended.Error));
        Assert.DoesNotContain(OwnWire, path.Driver.Namespace.Ip("link"), StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(temporary, "tapwire-*"));
    }

    [SkippableTheory]
    [InlineData(TapwireProgram.SIGTERM, "TERM")]
    [InlineData(TapwireProgram.SIGINT, "INT")]
    [InlineData(10, "USR1")]
    public void Signals_reach_the_program_beside_its_own_driver(int signal, string name)
    {
        var program = OwnDriver(path.Files, "sh", "-c", $"trap 'echo caught; exit 5' {name}; echo ready; while :; do sleep 0.05; done");
        program.WaitForLine("ready");
        program.Signal(signal);
        var ended = program.WaitForExit();
        Assert.Equal(5, ended.ExitCode);
        Assert.Equal("ready\ncaught\n", ended.Output);
    }

    [SkippableFact]
    public async Task Only_what_is_routed_goes_by_tapwire()
    {
        path.Need("curl", "python3");
        using var server = await path.ServeOnKernelAsync(8102, "python3", "-u", "-m", "http.server", "-d", path.Files, "--bind", "0.0.0.0", "8102");
        foreach (var (routes, address) in ((string, string)[])[("10.50.0.0/16", ProgramPath.Kernel), ("10.50.0.0/16,10.99.0.0/24", ProgramPath.Tapwire)])
        {
            Assert.Equal(0, Run("--route", routes, "--", "curl", "-sS", "-o", "/dev/null", $"http://{ProgramPath.Kernel}:8102/small").ExitCode);
            await LiveDriver.EventuallyAsync(() => Task.FromResult(server.Output.Contains($"{address} - -", StringComparison.Ordinal)),
                () => $"No request has come from {address}:\n{server.Output}");
        }

        Assert.Equal(0, Run("--", "curl", "-sS", "-o", "/dev/null", "http://127.0.0.1:8102/small").ExitCode);
    }

    /// <summary>Loopback that is named is the stack's own: what listens there is found there, and nobody else finds it.</summary>
    [SkippableFact]
    public void Loopback_that_is_routed_is_the_stacks_own()
    {
        path.Need("python3");
        const string Script = """
            import socket, sys
            for address in ("127.0.0.1", "127.1.2.3"):
                listener = socket.create_server((address, 8103))
                for name in (address, "0.0.0.0") if address == "127.0.0.1" else (address,):
                    client = socket.create_connection((name, 8103))
                    server, peer = listener.accept()
                    client.sendall(b"hello")
                    print(peer[0], client.getpeername()[0], server.recv(5).decode())
                a, b = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
                a.bind((address, 8104))
                b.sendto(b"datagram", (address, 8104))
                text, peer = a.recvfrom(100)
                print(text.decode(), peer[0])
                listener.close()
                a.close()
            """;
        var kernel = path.RunOnKernel("python3", "-c", Script);
        var ended = Run("--route", "127.0.0.0/8,10.99.0.0/24", "--", "python3", "-c", Script);
        Assert.Equal((0, kernel, ""), (ended.ExitCode, ended.Output, ended.Error));
    }

    [SkippableFact]
    public void A_bad_route_is_refused()
    {
        var ended = Run("--route", "10.99.0.0/33", "--", "true");
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("10.99.0.0/33", ended.Error, StringComparison.Ordinal);
        var direct = path.Driver.Namespace.TryExec("env", [$"TAPWIRE_ROUTES=rubbish", .. path.OnTapwire("true")]);
        Assert.Equal(127, direct.ExitCode);
        Assert.Contains("TAPWIRE_ROUTES is \"rubbish\"", direct.Error, StringComparison.Ordinal);
    }

    /// <summary>Bits beyond the length mean that something else is meant: another network, or one host.</summary>
    [SkippableFact]
    public void A_route_to_a_host_in_a_network_is_refused()
    {
        var ended = Run("--route", "10.99.3.5/24", "--", "true");
        Assert.Equal(2, ended.ExitCode);
        Assert.Contains("10.99.3.5/24 has bits beyond its length; write 10.99.3.0/24 for the network", ended.Error, StringComparison.Ordinal);
        Assert.Equal(127, path.Driver.Namespace.TryExec("env", ["TAPWIRE_ROUTES=10.99.3.5/24", .. path.OnTapwire("true")]).ExitCode);
        Assert.Equal(0, path.Driver.Namespace.TryExec("env", ["TAPWIRE_ROUTES=10.99.3.0/24,10.99.3.4/30,fd00::/8,0.0.0.0/0", .. path.OnTapwire("true")]).ExitCode);
    }

    private CommandResult Run(params string[] arguments) => TapwireProgram.Run(path.Driver.Namespace, ["run", "--link", path.Driver.LinkPath, .. arguments]);

    private TapwireProgram OwnDriver(string temporary, params string[] command) =>
        TapwireProgram.StartBy(path.Driver.Namespace, ["env", "--default-signal=INT", $"TMPDIR={temporary}"], ["run", "--wire", $"tap:{OwnWire}", "--address", $"{OwnAddress}/24", "--", .. command]);
}
