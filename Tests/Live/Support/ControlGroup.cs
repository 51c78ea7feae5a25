using System.Globalization;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>A control group with a limit on memory, of version 1 or 2, whichever this machine has.</summary>
internal sealed class ControlGroup : IDisposable
{
    private static int s_count;

    private readonly string _directory;
    private readonly bool _isUnified;

    private ControlGroup(string directory, bool isUnified)
    {
        _directory = directory;
        _isUnified = isUnified;
    }

    /// <summary>Mounts the groups, which a namespace of the network does not show, joins this one, and becomes what follows.</summary>
    public string[] Launcher =>
    [
        "sh", "-c",
        $"mount -t {(_isUnified ? "cgroup2" : "cgroup -o memory")} tapwire /sys/fs/cgroup && echo $$ > /sys/fs/cgroup/{Path.GetFileName(_directory)}/cgroup.procs && exec \"$@\"",
        "sh",
    ];

    public bool HasKilled => Counter(_isUnified ? "memory.events" : "memory.oom_control", "oom_kill") > 0;

    /// <summary>How often the limit was met, and the kernel had to make room: pages of files also.</summary>
    public long LimitMet => _isUnified ? Counter("memory.events", "max") : Number("memory.failcnt");

    /// <summary>The most that was in use at once, in bytes, pages of files included; 0 where the kernel does not tell.</summary>
    public long Peak => Number(_isUnified ? "memory.peak" : "memory.max_usage_in_bytes");

    public static ControlGroup Create(long limit)
    {
        Skip.If(Environment.UserName != "root", "Needs root: it makes a control group.");
        var isUnified = File.Exists("/sys/fs/cgroup/cgroup.controllers");
        var name = $"tapwire-spec-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        var directory = Path.Combine(isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", name);
        try
        {
            Directory.CreateDirectory(directory);
            File.WriteAllText(Path.Combine(directory, isUnified ? "memory.max" : "memory.limit_in_bytes"), limit.ToString(CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Skip.If(true, $"No control group with a limit on memory can be made here: {e.Message}");
        }

        return new ControlGroup(directory, isUnified);
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_directory);
        }
        catch (IOException)
        {
            // A process of it has not quite gone; an empty group does no harm.
        }
    }

    private long Counter(string file, string name) => File.ReadLines(Path.Combine(_directory, file))
        .Select(static line => line.Split(' ')).Where(parts => parts.Length == 2 && parts[0] == name)
        .Sum(static parts => long.Parse(parts[1], CultureInfo.InvariantCulture));

    private long Number(string file)
    {
        var path = Path.Combine(_directory, file);
        return File.Exists(path) ? long.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture) : 0;
    }
}
