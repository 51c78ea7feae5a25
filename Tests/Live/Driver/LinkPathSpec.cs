using System.Diagnostics;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// Drivers and programs of several users that are told nothing of each other's links. What they leave below /tmp is removed.
/// </summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class LinkPathSpec : IDisposable
{
    private const int User = 12_345;
    private const int Stranger = 12_346;
    private const string SystemLink = "/run/tapwire/link.sock";

    // A /run of its own, and a device that every user may open, as is usual.
    private static readonly string[] s_private =
    [
        "unshare", "-m", "env", "-u", "XDG_RUNTIME_DIR", "sh", "-c",
        "mount -t tmpfs -o mode=0755 tmpfs /run && mount -t tmpfs -o mode=0755 tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200 && exec \"$@\"", "sh",
    ];

    private static readonly string[] s_asUser = As(User);

    private readonly NetworkNamespace _network = NetworkNamespace.Create();
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-live-");
    private readonly List<string> _links = [];
    private TapwireProgram? _first;

    public void Dispose()
    {
        _network.Dispose();
        foreach (var directory in _links.Select(Path.GetDirectoryName).Where(static directory => directory!.StartsWith("/tmp/tapwire-", StringComparison.Ordinal)))
            Directory.Delete(directory!, recursive: true);
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public void Drivers_of_root_of_a_user_and_of_both_in_user_namespaces_run_at_once_and_are_found_by_their_own()
    {
        Need();
        _network.Ip($"tuntap add dev tw1 mode tap user {User}");
        _network.Ip("link set tw1 up");
        var root = StartFirst("up", "--address", "10.99.0.2/24");
        var user = Start(s_asUser, "up", "--wire", "tap:tw1", "--address", "10.99.1.2/24");
        var roots = Start(["unshare", "-Urn"], "up", "--address", "10.99.2.2/24");
        var users = Start([.. s_asUser, "unshare", "-Urn"], "up", "--address", "10.99.3.2/24");
        var others = Start([.. As(Stranger), "unshare", "-Urn"], "up", "--address", "10.99.4.2/24");

        Assert.Equal(SystemLink, root.Link);
        Assert.Equal($"/tmp/tapwire-{User}/link.sock", user.Link);
        Assert.StartsWith("/tmp/tapwire-0-", roots.Link, StringComparison.Ordinal);
        Assert.StartsWith($"/tmp/tapwire-{User}-", users.Link, StringComparison.Ordinal);
        Assert.StartsWith($"/tmp/tapwire-{Stranger}-", others.Link, StringComparison.Ordinal);

        Finds([], "10.99.0.2/24");
        Finds(s_asUser, "10.99.1.2/24");
        Finds(["nsenter", "-t", $"{roots.Program.Pid}", "-U", "--preserve-credentials"], "10.99.2.2/24");
        Finds([.. s_asUser, "nsenter", "-t", $"{users.Program.Pid}", "-U", "--preserve-credentials"], "10.99.3.2/24");
        foreach (var driver in (StartedDriver[])[root, user, roots, users, others])
        {
            var ended = driver.Program.Stop();
            Assert.Equal(0, ended.ExitCode);
            LiveDriver.AssertQuiet(ended.Error);
        }
    }

    [SkippableFact]
    public void A_library_that_is_told_nothing_finds_the_driver_of_its_user_and_namespace()
    {
        Need();
        Skip.If(_network.TryExec("python3", "--version").ExitCode != 0, "there is no 'python3' command");
        var library = Path.Combine(AppContext.BaseDirectory, "libtapwire.so");
        Skip.IfNot(File.Exists(library), "there is no libtapwire.so");
        StartFirst("up", "--address", "10.99.0.2/24");
        var namespaced = Start([.. s_asUser, "unshare", "-Urn"], "up", "--address", "10.99.3.2/24");
        foreach (var (launcher, address) in ((string[], string)[])
            [([], "10.99.0.2"), ([.. s_asUser, "nsenter", "-t", $"{namespaced.Program.Pid}", "-U", "--preserve-credentials"], "10.99.3.2")])
        {
            // An address can be bound where the stack has it.
            var bound = _network.TryExec("nsenter", [.. Launcher(launcher), "env", $"LD_PRELOAD={library}",
                "python3", "-c", $"import socket; s = socket.socket(); s.bind(('{address}', 80)); print(s.getsockname())"]);
            Assert.Equal((0, $"('{address}', 80)\n"), (bound.ExitCode, bound.Output));
        }
    }

    [SkippableFact]
    public void An_ordinary_user_finds_the_systems_driver_if_it_admits_him_and_is_told_whose_it_is_if_not()
    {
        Need();
        var settings = Path.Combine(_directory.FullName, "own.conf");
        File.WriteAllText(settings, $"tapwire.link.users = [{User}]");
        StartFirst("up", "--address", "10.99.0.2/24", "--config", settings);
        Finds(s_asUser, "10.99.0.2/24");

        foreach (var arguments in (string[][])[["status"], ["ping", "10.99.0.1", "-c", "1"], ["run", "--", "true"]])
        {
            var refused = StartBy(As(Stranger), arguments).WaitForExit();
            Assert.Equal($"tapwire: The driver at '{SystemLink}' belongs to root and does not admit user {Stranger}: its owner must name you in its setting tapwire.link.users; "
                + "or start a driver of your own with 'tapwire up', or name its socket with --link.\n", refused.Error);
            Assert.Equal(1, refused.ExitCode);
        }
    }

    [SkippableFact]
    public void A_user_before_the_closed_directory_of_roots_driver_is_told_whose_it_is()
    {
        Need();
        StartFirst("up", "--address", "10.99.0.2/24");
        foreach (var arguments in (string[][])[["status"], ["ping", "10.99.0.1", "-c", "1"], ["run", "--", "true"]])
        {
            var refused = StartBy(s_asUser, arguments).WaitForExit();
            Assert.StartsWith($"tapwire: The directory '/run/tapwire' of the link '{SystemLink}' belongs to root and does not let user {User} through: ", refused.Error, StringComparison.Ordinal);
            Assert.Equal(1, refused.ExitCode);
        }
    }

    [SkippableFact]
    public void A_directory_that_somebody_else_has_put_into_tmp_is_refused_and_stays()
    {
        Need();
        _network.Ip($"tuntap add dev tw1 mode tap user {User}");
        _network.Ip("link set tw1 up");
        var squatted = Directory.CreateDirectory($"/tmp/tapwire-{User}").FullName;
        _links.Add(Path.Combine(squatted, "link.sock"));
        _network.Exec("chown", $"{Stranger}", squatted);
        var refused = TapwireProgram.StartBy(_network, [.. s_private, .. s_asUser], "up", "--wire", "tap:tw1", "--address", "10.99.0.2/24").WaitForExit();
        Assert.Equal($"tapwire: The directory '{squatted}' of the link socket belongs to user {Stranger}, not to user {User}; have it removed, or choose another path with --link.\n", refused.Error);
        Assert.Equal(1, refused.ExitCode);
    }

    [SkippableFact]
    public async Task A_stopped_driver_is_not_waited_for_for_ever_and_goes_on_afterwards()
    {
        using var driver = LiveDriver.Start();
        driver.Program.Signal(SIGSTOP);
        string LineAfter(string time) => $"tapwire: The driver at '{driver.LinkPath}' has not answered within {time}: it is suspended, or has too much to do; "
            + "look at its log, and let it go on (kill -CONT) or start it again.\n";

        var ended = TapwireProgram.Run(driver.Namespace, "status", "--timeout", "300ms", "--link", driver.LinkPath);
        Assert.Equal((1, LineAfter("300ms")), (ended.ExitCode, ended.Error));
        var clock = Stopwatch.StartNew();
        ended = TapwireProgram.Run(driver.Namespace, "ping", LiveDriver.KernelAddress, "--link", driver.LinkPath);
        Assert.Equal((1, LineAfter("5s")), (ended.ExitCode, ended.Error));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30));
        var waiting = TapwireProgram.Start(driver.Namespace, "status", "--timeout", "1h", "--link", driver.LinkPath);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(waiting.HandlesSignals), static () => "It takes no signals.");
        ended = waiting.Stop(TapwireProgram.SIGINT);
        Assert.Equal((130, ""), (ended.ExitCode, ended.Error));

        driver.Program.Signal(SIGCONT);
        Assert.Equal(0, TapwireProgram.Run(driver.Namespace, "status", "--link", driver.LinkPath).ExitCode);
        driver.StopCleanly();
    }

    [SkippableFact]
    public void Who_watches_a_driver_is_told_of_its_end()
    {
        using var driver = LiveDriver.Start();
        var watching = TapwireProgram.Start(driver.Namespace, "status", "--watch", "--json", "--link", driver.LinkPath);
        watching.WaitForLine("{");
        driver.StopCleanly();
        var ended = watching.WaitForExit();
        Assert.Equal((1, "tapwire: The driver has ended the connection: it has stopped, or is stopping.\n"), (ended.ExitCode, ended.Error));
    }

    private const int SIGCONT = 18;
    private const int SIGSTOP = 19;

    private static string[] As(int user) => ["setpriv", "--reuid", $"{user}", "--regid", $"{user}", "--clear-groups"];

    private void Need()
    {
        foreach (var command in (string[])["setpriv", "unshare", "nsenter"])
            Skip.If(_network.TryExec(command, "--version").ExitCode != 0, $"there is no '{command}' command");
        var able = _network.TryExec(s_private[0], [.. s_private[1..], .. s_asUser, "unshare", "-Urn", TapwireProgram.Host, "exec", TapwireProgram.Assembly, "--help"]);
        Skip.If(able.ExitCode != 0, $"another user cannot run the program in a user namespace: {able.Error}");
    }

    /// <summary>Root's driver. All who are started after it have the same /run.</summary>
    private StartedDriver StartFirst(params string[] arguments)
    {
        _first = TapwireProgram.StartBy(_network, s_private, arguments);
        return Started(_first);
    }

    private StartedDriver Start(string[] launcher, params string[] arguments) => Started(StartBy(launcher, arguments));

    private StartedDriver Started(TapwireProgram program)
    {
        const string beforeLink = ", link ";
        var line = program.WaitForLine("tapwire is up");
        var link = line[(line.IndexOf(beforeLink, StringComparison.Ordinal) + beforeLink.Length)..];
        _links.Add(link);
        return new StartedDriver(program, link);
    }

    private void Finds(string[] launcher, string address)
    {
        var status = StartBy(launcher, "status").WaitForExit();
        Assert.Equal("", status.Error);
        Assert.Contains(address, status.Output, StringComparison.Ordinal);
    }

    private TapwireProgram StartBy(string[] launcher, params string[] arguments) => TapwireProgram.StartBy(_network, ["nsenter", .. Launcher(launcher)], arguments);

    /// <summary>Arguments of nsenter: to the first driver's /run, and then by what else is to start the program.</summary>
    private string[] Launcher(string[] launcher) => ["-t", $"{_first!.Pid}", "-m", "env", "-u", "XDG_RUNTIME_DIR", .. launcher];

    private sealed record StartedDriver(TapwireProgram Program, string Link);
}
