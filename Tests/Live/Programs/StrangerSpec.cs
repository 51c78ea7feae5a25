using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Programs under libtapwire.so, and the commands, tell nothing to a socket that anybody may have put at the link's path.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class StrangerSpec : IDisposable
{
    private const int Stranger = 12_355;
    private const int User = 12_356;
    private const int HelloSize = 16;

    private readonly NetworkNamespace _network = NetworkNamespace.Create();
    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-live-").FullName;
    private readonly List<string> _made = [];
    private ServerProgram? _fake;

    public StrangerSpec()
    {
        var library = Path.Combine(AppContext.BaseDirectory, "libtapwire.so");
        if (File.Exists(library))
            File.Copy(library, Path.Combine(_directory, "libtapwire.so"));
        _network.Exec("chmod", "0755", _directory);
    }

    public void Dispose()
    {
        _fake?.Dispose();
        _network.Dispose();
        foreach (var directory in _made.Append(_directory))
            Directory.Delete(directory, recursive: true);
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(User)]
    public async Task A_socket_in_a_directory_where_everybody_may_make_files_is_told_nothing_even_if_it_is_named(int user)
    {
        Need();
        var path = Path.Combine(MakeShared(), "his", "link.sock");
        await ListenAsync(path);
        Assert.Contains("[Errno 13]", OpenSocket(user, path), StringComparison.Ordinal);
        await ToldAsync(0);
    }

    [SkippableFact]
    public async Task The_commands_say_whose_it_is_and_what_to_do()
    {
        Need();
        var path = Path.Combine(MakeShared(), "his", "link.sock");
        await ListenAsync(path);
        var status = TapwireProgram.Run(_network, "status", "--link", path);
        Assert.Equal($"tapwire: What listens at '{path}' is user {Stranger}'s, and nothing was sent to it: anybody may have put '{Path.GetDirectoryName(path)}' there. "
            + "Start a driver of your own with 'tapwire up', or name its socket with --link; a driver of another user is to be in a directory where only that user or root can write.\n",
            status.Error);
        Assert.Equal(1, status.ExitCode);
        await ToldAsync(0);
    }

    [SkippableFact]
    public async Task A_default_path_below_tmp_that_a_stranger_has_taken_is_told_nothing()
    {
        Need();
        var path = $"/tmp/tapwire-{User}/link.sock";
        await ListenAsync(path);
        _made.Add(Path.GetDirectoryName(path)!);
        Assert.Contains("[Errno 13]", OpenSocket(User, link: null), StringComparison.Ordinal);
        await ToldAsync(0);
    }

    /// <summary>As the system's service has it, whose user is not root: what is there, nobody else can have put there.</summary>
    [SkippableTheory]
    [InlineData(0)]
    [InlineData(User)]
    public async Task A_driver_of_another_user_in_a_place_that_root_has_given_him_is_greeted(int user)
    {
        Need();
        var path = Path.Combine(_directory, "his", "link.sock");
        _network.Exec("install", "-d", "-o", $"{Stranger}", "-m", "0755", Path.GetDirectoryName(path)!);
        await ListenAsync(path);
        Assert.Contains("[Errno 100]", OpenSocket(user, path), StringComparison.Ordinal); // it knows the protocol no further
        await ToldAsync(HelloSize);
    }

    /// <summary>A place that anybody can take is good enough for one's own driver: nobody else's process can be its listener.</summary>
    [SkippableFact]
    public async Task Ones_own_driver_may_be_anywhere()
    {
        Need();
        var path = Path.Combine(MakeShared(), "his", "link.sock");
        await ListenAsync(path);
        Assert.Contains("[Errno 100]", OpenSocket(Stranger, path), StringComparison.Ordinal);
        await ToldAsync(HelloSize);
    }

    private void Need()
    {
        foreach (var command in (string[])["setpriv", "python3"])
            Skip.If(_network.TryExec(command, "--version").ExitCode != 0, $"there is no '{command}' command");
        Skip.IfNot(File.Exists(Path.Combine(_directory, "libtapwire.so")), "libtapwire.so was not built: there is no C compiler");
    }

    private string MakeShared()
    {
        var shared = Path.Combine(_directory, "shared");
        _network.Exec("install", "-d", "-m", "1777", shared);
        return shared;
    }

    private async Task ListenAsync(string path)
    {
        _fake = new ServerProgram(_network.Start("python3", ProgramPath.SourceOf("fake_driver.py"), path, $"{Stranger}"));
        await HasSaidAsync("listening");
    }

    /// <summary>A program of a user that opens a socket; what it says of that.</summary>
    private string OpenSocket(int user, string? link)
    {
        string[] variables = [$"LD_PRELOAD={Path.Combine(_directory, "libtapwire.so")}", .. link is null ? Array.Empty<string>() : [$"TAPWIRE_LINK={link}"]];
        // A /run of its own: no system's driver is found there, nor the directory that one has left.
        var ended = _network.TryExec("unshare", ["-m", "sh", "-c", "mount -t tmpfs -o mode=0755 tmpfs /run && exec \"$@\"", "sh",
            "setpriv", "--reuid", $"{user}", "--regid", $"{user}", "--clear-groups", "env", "-u", "XDG_RUNTIME_DIR", .. variables, "python3", "-c", "import socket; socket.socket()"]);
        Assert.Equal(1, ended.ExitCode);
        return ended.Error;
    }

    private async Task ToldAsync(int bytes)
    {
        await HasSaidAsync("told");
        Assert.Equal($"listening\ntold {bytes}", _fake!.Output.Trim());
    }

    private Task HasSaidAsync(string line) => LiveDriver.EventuallyAsync(
        () => Task.FromResult(_fake!.Output.Contains(line, StringComparison.Ordinal) || _fake.HasFailed), () => $"It does not say '{line}': {_fake!.Output}");
}
