using System.Globalization;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>What the library does while data moves: nothing. And what programs see when the driver dies: an end.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class DataPathSpec(CleanPath path) : IClassFixture<CleanPath>
{
    /// <summary>
    /// Calls that a program makes per piece of data, whatever its sockets are. (curl ignores SIGPIPE in each turn of its loop; how many turns a file takes is a matter of time.)
    /// </summary>
    private static readonly string[] OfData =
    [
        "read", "write", "readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "poll", "ppoll", "pselect6", "select", "epoll_wait", "rt_sigaction",
    ];

    [SkippableTheory]
    [InlineData("curl -sS -o /dev/null", "strace", "curl")]
    [InlineData("wget -q -O /dev/null", "strace", "wget")]
    public async Task A_program_makes_no_call_for_data_that_it_does_not_make_anyhow(string client, params string[] programs)
    {
        path.Need([.. programs, "python3"]);
        File.WriteAllBytes(Path.Combine(path.Files, "short"), new byte[1000]);
        using var server = await path.ServeFilesAsync(8200);
        var onKernel = Grown(["env", .. client.Split(' ')]);
        var onTapwire = Grown(path.OnTapwire(client.Split(' ')));
        Assert.NotEmpty(onTapwire);
        Assert.All(onTapwire, call => Assert.Contains(call, OfData.Concat(onKernel)));
    }

    [SkippableFact]
    public async Task When_the_driver_dies_programs_see_the_end_at_once()
    {
        using var driver = LiveDriver.Start();
        path.Need("nc", "curl");
        string[] tapwire = ["env", $"LD_PRELOAD={Path.Combine(path.Files, "libtapwire.so")}", $"TAPWIRE_LINK={driver.LinkPath}"];
        using var reader = driver.Namespace.Start("env", [.. tapwire[1..], "curl", "-sS", $"http://{LiveDriver.Address}:{LiveDriver.Source}/", "-o", "/dev/null", "--http0.9"]);
        using var listener = driver.Namespace.Start("env", [.. tapwire[1..], "nc", "-l", "5100"]);
        using var datagrams = driver.Namespace.Start("env", [.. tapwire[1..], "nc", "-u", "-l", "5101"]);
        await LiveDriver.EventuallyAsync(async () =>
        {
            var status = (await driver.StatusAsync()).GetRawText();
            return status.Contains(":5100\"", StringComparison.Ordinal) && status.Contains(":5101\"", StringComparison.Ordinal)
                && status.Contains("Established", StringComparison.Ordinal);
        }, () => "The programs do not come up.");

        driver.Program.Signal(TapwireProgram.SIGKILL);
        Assert.NotEqual(0, NetworkNamespace.ExitCodeOf(reader));
        Assert.NotEqual(0, NetworkNamespace.ExitCodeOf(listener));
        NetworkNamespace.ExitCodeOf(datagrams);

        var after = driver.Namespace.TryExec("env", [.. tapwire[1..], "curl", "-sS", $"http://{LiveDriver.Address}/"]);
        Assert.NotEqual(0, after.ExitCode);
    }

    /// <summary>The system calls that a client makes more of when the file is longer.</summary>
    private List<string> Grown(string[] client)
    {
        var few = Trace([.. client, $"http://{ProgramPath.Kernel}:8200/short"]);
        var many = Trace([.. client, $"http://{ProgramPath.Kernel}:8200/file"]);
        return [.. many.Where(call => call.Value > few.GetValueOrDefault(call.Key) + 3).Select(call => call.Key)];
    }

    /// <summary>How often a command makes each system call.</summary>
    private Dictionary<string, long> Trace(string[] command)
    {
        var file = Path.Combine(path.Files, "calls");
        path.RunOnKernel(["strace", "-f", "-c", "-o", file, .. command]);
        return File.ReadLines(file).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(fields => fields.Length >= 5 && char.IsDigit(fields[0][0]) && fields[^1] != "total")
            .ToDictionary(fields => fields[^1], fields => long.Parse(fields[3], CultureInfo.InvariantCulture));
    }
}
