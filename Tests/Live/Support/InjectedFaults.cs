using System.Diagnostics;
using System.Text;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>
/// Has system calls of a running process fail by strace(1), without being made: for the program, the kernel's own answer. Ends with <see cref="Stop"/>, which lets the process
/// go on as it was.
/// </summary>
internal sealed class InjectedFaults : IDisposable
{
    private const int SIGTERM = 15;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Process _strace;
    private readonly StringBuilder _said = new();
    private readonly TaskCompletionSource _attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly string _log;

    private InjectedFaults(Process strace, string log)
    {
        _strace = strace;
        _log = log;
        strace.ErrorDataReceived += (_, line) => Note(line.Data);
        strace.BeginErrorReadLine();
    }

    /// <summary>The arguments of strace that say what is to fail.</summary>
    /// <param name="calls">Names as strace has them, with commas.</param>
    /// <param name="error">As in "EINTR".</param>
    /// <param name="when">Which calls of each thread: "3+5" is the third and every fifth after that.</param>
    /// <param name="path">Only calls on this file.</param>
    public static string[] Arguments(string calls, string error, string when, string path = "") =>
        ["-e", $"trace={calls}", "-e", $"inject={calls}:error={error}:when={when}", .. path.Length > 0 ? (string[])["-P", path] : []];

    /// <summary>Skips the spec where there is no strace.</summary>
    public static void Need(NetworkNamespace network) => Skip.If(network.TryExec("strace", "-V").ExitCode != 0, "there is no 'strace' command");

    /// <summary>Begins; skips the spec where a process may not be traced.</summary>
    public static async Task<InjectedFaults> StartAsync(NetworkNamespace network, int process, string[] arguments)
    {
        Need(network);
        var log = Path.GetTempFileName();
        var faults = new InjectedFaults(network.Start("strace", ["-f", "-o", log, .. arguments, "-p", $"{process}"]), log);
        try
        {
            await faults._attached.Task.WaitAsync(Patience);
            return faults;
        }
        catch
        {
            faults.Dispose();
            throw;
        }
    }

    /// <summary>Ends.</summary>
    /// <returns>How many calls have failed by this.</returns>
    public int Stop()
    {
        _ = Libc.kill(_strace.Id, SIGTERM);
        Assert.True(_strace.WaitForExit(Patience), "strace has not ended.");
        return CountIn(_log);
    }

    /// <summary>How many calls strace's log names as failed by its injection.</summary>
    public static int CountIn(string log) => File.ReadLines(log).Count(static line => line.EndsWith("(INJECTED)", StringComparison.Ordinal));

    public void Dispose()
    {
        if (!_strace.HasExited)
            Stop();
        File.Delete(_log);
    }

    private void Note(string? line)
    {
        lock (_said)
            _said.AppendLine(line);
        if (line is null)
            _attached.TrySetException(new Xunit.Sdk.XunitException($"strace has ended: {_said}"));
        else if (line.Contains("Operation not permitted", StringComparison.Ordinal))
            _attached.TrySetException(new SkipException($"no process may be traced: {line}"));
        else if (line.EndsWith("attached", StringComparison.Ordinal) || line.Contains(" attached with ", StringComparison.Ordinal))
            _attached.TrySetResult();
    }
}
