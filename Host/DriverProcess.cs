using System.Diagnostics;
using System.Text.Json;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>The process of a running driver, which is no child of this one.</summary>
internal sealed class DriverProcess
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(20);

    private readonly string _started;

    private DriverProcess(int id, string started) => (Id, _started) = (id, started);

    public int Id { get; }

    /// <param name="status">The driver's status.</param>
    /// <returns>Null: it is of an earlier release and does not tell, or it is in another namespace of processes, and its end cannot be seen.</returns>
    public static DriverProcess? In(string status)
    {
        using var json = JsonDocument.Parse(status);
        return json.RootElement.TryGetProperty("process", out var process) && process.GetInt32() is > 0 and var id && StartOf(id) is { } started ? new DriverProcess(id, started) : null;
    }

    /// <returns>False: it is still there.</returns>
    public async Task<bool> HasEndedWithinAsync(TimeSpan timeout, CancellationToken cancel)
    {
        var began = Stopwatch.GetTimestamp();
        while (StartOf(Id) == _started)
        {
            if (Stopwatch.GetElapsedTime(began) >= timeout)
                return false;
            await Task.Delay(LookEvery, cancel);
        }

        return true;
    }

    /// <summary>When a process has begun, in the kernel's ticks, which tells it from a later one with its number.</summary>
    /// <returns>Null: there is none, or it has ended and its parent has not looked yet.</returns>
    internal static string? StartOf(int id)
    {
        // The name is in parentheses and may hold anything; behind it are the state, and 19 fields later the start (proc_pid_stat(5)).
        var text = ProcFile.Text($"/proc/{id}/stat");
        var fields = text[(text.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length < 20 || fields[0] is "Z" or "X" ? null : fields[19];
    }
}
