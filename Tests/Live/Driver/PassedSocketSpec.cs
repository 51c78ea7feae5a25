using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver whose link a service manager has made.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class PassedSocketSpec : IDisposable
{
    // What a service manager does: socket, descriptor 3, variables, exec.
    private const string Passing = """
        import os, socket, sys
        kind = {'stream': socket.SOCK_STREAM, 'datagram': socket.SOCK_DGRAM}[sys.argv[1]]
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(sys.argv[2])
        if kind == socket.SOCK_STREAM:
            s.listen()
        os.dup2(s.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='link')
        os.execvp(sys.argv[3], sys.argv[3:])
        """;

    private readonly NetworkNamespace _network = NetworkNamespace.Create();
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-live-");

    private string LinkPath => Path.Combine(_directory.FullName, "link.sock");

    public void Dispose()
    {
        _network.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public void A_driver_serves_on_the_socket_that_it_was_passed_and_leaves_its_file()
    {
        var program = StartPassed("stream");
        Assert.EndsWith($", link {LinkPath}", program.WaitForLine("tapwire is up"), StringComparison.Ordinal);
        Assert.Equal("socket", File.ResolveLinkTarget($"/proc/{program.Pid}/fd/3", false)!.Name.Split(':')[0]);
        var status = TapwireProgram.Run(_network, "status", "--link", LinkPath);
        Assert.Equal((0, ""), (status.ExitCode, status.Error));
        var ended = program.Stop();
        Assert.Equal(0, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        Assert.True(File.Exists(LinkPath));
    }

    [SkippableTheory]
    [InlineData("stream", "--link or tapwire.link.path says '/elsewhere.sock'; leave that out, or pass no socket.", "--link", "/elsewhere.sock")]
    [InlineData("datagram", "Descriptor 3, which the service manager has passed for the link, is no stream socket; pass a listening AF_UNIX stream socket with a path, as in ListenStream=/run/tapwire/link.sock.")]
    public void A_passed_socket_that_will_not_do_is_refused_with_one_line(string kind, string complaint, params string[] arguments)
    {
        var ended = StartPassed(kind, arguments).WaitForExit();
        Assert.Equal(1, ended.ExitCode);
        Assert.StartsWith("tapwire: ", ended.Error, StringComparison.Ordinal);
        Assert.EndsWith($"{complaint}\n", ended.Error, StringComparison.Ordinal);
        Assert.Equal(1, ended.Error.Count(static c => c == '\n'));
        Assert.True(File.Exists(LinkPath));
    }

    [SkippableFact]
    public void The_first_program_that_connects_starts_the_driver()
    {
        Skip.If(_network.TryExec("systemd-socket-activate", "--version").ExitCode != 0, "there is no 'systemd-socket-activate' command");
        var program = TapwireProgram.StartBy(_network, ["systemd-socket-activate", "-l", LinkPath], "up", "--address", "10.99.0.2/24");
        Assert.True(SpinWait.SpinUntil(() => File.Exists(LinkPath), TimeSpan.FromSeconds(30)), "The socket is not there.");
        var status = TapwireProgram.Run(_network, "status", "--timeout", "1m", "--link", LinkPath);
        Assert.Equal((0, ""), (status.ExitCode, status.Error));
        Assert.Contains("10.99.0.2/24", status.Output, StringComparison.Ordinal);
        Assert.Equal(0, program.Stop().ExitCode);
    }

    private TapwireProgram StartPassed(string kind, params string[] arguments)
    {
        Skip.If(_network.TryExec("python3", "--version").ExitCode != 0, "there is no 'python3' command");
        return TapwireProgram.StartBy(_network, ["python3", "-c", Passing, kind, LinkPath], ["up", "--address", "10.99.0.2/24", .. arguments]);
    }
}
