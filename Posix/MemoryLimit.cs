using System.Globalization;
using System.Text;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>How much memory this process may use: the machine's, or less if a control group that it is in has a limit (cgroups(7), version 1 or 2).</summary>
/// <remarks>
/// The files that show the usage are kept open, so that looking works when no descriptor is left. Pages of files do not count as used, since the kernel reclaims
/// them by itself.
/// </remarks>
internal sealed class MemoryLimit
{
    private const string MachineFile = "/proc/meminfo";

    /// <summary>The machine is short of memory only when less than a quarter is available: others use it, too, and well. A control group's limit is mostly for
    /// this process alone.</summary>
    private const double MachineShare = 4;

    /// <summary>Bytes: twice the length of memory.stat, the longest of the files, under Linux 6.18.</summary>
    private const int Room = 8192;

    private static readonly Lazy<MemoryLimit> ThisProcess =
        new(static () => new MemoryLimit(ProcFile.Text("/proc/self/cgroup"), ProcFile.Text("/proc/self/mountinfo"), MachineFile));

    private readonly List<Group> _groups;
    private readonly int _machine;

    /// <param name="memberships">The text of /proc/self/cgroup.</param>
    /// <param name="mounts">The text of /proc/self/mountinfo.</param>
    /// <param name="machine">The path of a file like /proc/meminfo.</param>
    internal MemoryLimit(string memberships, string mounts, string machine)
    {
        _machine = open(machine, O_RDONLY | O_CLOEXEC, 0);
        Machine = Field(Read(_machine, stackalloc byte[Room]), "MemTotal:"u8) is { } kibibytes ? kibibytes << 10 : long.MaxValue;
        _groups = [.. ControlGroups.OfMemory(memberships, mounts).Select(Group.Open).OfType<Group>().Where(group => group.Limit < Machine)];
        Bytes = _groups.Select(static group => group.Limit).Append(Machine).Min();
    }

    /// <summary>This process's limits, read at the first use.</summary>
    public static MemoryLimit OfProcess => ThisProcess.Value;

    /// <summary>The smallest of the limits, in bytes; <see cref="long.MaxValue"/> if none is known.</summary>
    public long Bytes { get; }

    private long Machine { get; }

    /// <summary>
    /// The share of a limit that is left, 0 to 1: the smallest of all limits. For the machine, the share of a quarter of its memory.
    /// </summary>
    public double Left()
    {
        Span<byte> room = stackalloc byte[Room];
        var left = 1.0;
        foreach (var group in _groups)
        {
            var used = Number(Read(group.Usage, room));

            // Subtracting the pages of files costs another read, and matters only when much is used.
            if (used > group.Limit / 2)
                used -= FilePages(group, room);
            left = Math.Min(left, 1 - used / (double)group.Limit);
        }

        if (Field(Read(_machine, room), "MemAvailable:"u8) is { } available)
            left = Math.Min(left, MachineShare * (available << 10) / Machine);
        return Math.Max(left, 0);
    }

    private static long FilePages(Group group, Span<byte> room)
    {
        var text = Read(group.Statistics, room);
        return (Field(text, group.IsUnified ? "inactive_file "u8 : "total_inactive_file "u8) ?? 0)
            + (Field(text, group.IsUnified ? "active_file "u8 : "total_active_file "u8) ?? 0);
    }

    /// <summary>Reads a file of the kernel from its start, which makes the kernel write it anew.</summary>
    private static unsafe ReadOnlySpan<byte> Read(int descriptor, Span<byte> room)
    {
        fixed (byte* start = room)
        {
            var count = descriptor < 0 ? 0 : pread(descriptor, start, (nuint)room.Length, 0);
            return room[..(int)Math.Max(count, 0)];
        }
    }

    private static long Number(ReadOnlySpan<byte> text) =>
        long.TryParse(Encoding.ASCII.GetString(text).Trim(), CultureInfo.InvariantCulture, out var number) ? number : 0;

    /// <summary>The number behind a name at the beginning of a line; null if there is none.</summary>
    private static long? Field(ReadOnlySpan<byte> text, ReadOnlySpan<byte> name)
    {
        while (!text.IsEmpty)
        {
            var end = text.IndexOf((byte)'\n');
            var line = end < 0 ? text : text[..end];
            if (line.StartsWith(name))
                return System.Buffers.Text.Utf8Parser.TryParse(line[name.Length..].TrimStart((byte)' '), out long value, out _) ? value : null;
            text = end < 0 ? [] : text[(end + 1)..];
        }

        return null;
    }

    /// <summary>A control group that has a limit.</summary>
    private sealed record Group(long Limit, int Usage, int Statistics, bool IsUnified)
    {
        /// <summary>Null: the group has no limit, or its files cannot be read.</summary>
        public static Group? Open((string Directory, bool IsUnified) place)
        {
            string[] limits = place.IsUnified ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"];
            var limit = limits.Select(name => ProcFile.Text(Path.Combine(place.Directory, name)).Trim())
                .Select(static text => long.TryParse(text, CultureInfo.InvariantCulture, out var bytes) && bytes > 0 ? bytes : long.MaxValue).Min();
            if (limit == long.MaxValue)
                return null;
            var usage = Open(place.IsUnified ? "memory.current" : "memory.usage_in_bytes");
            return usage < 0 ? null : new Group(limit, usage, Open("memory.stat"), place.IsUnified);

            int Open(string name) => open(Path.Combine(place.Directory, name), O_RDONLY | O_CLOEXEC, 0);
        }
    }
}

/// <summary>Finds the control groups of a process in the file system.</summary>
internal static class ControlGroups
{
    /// <summary>The directories of the group that accounts for the process's memory and of all visible groups above it, the innermost first.</summary>
    /// <inheritdoc cref="MemoryLimit(string, string, string)"/>
    public static IEnumerable<(string Directory, bool IsUnified)> OfMemory(string memberships, string mounts)
    {
        // hierarchy:controllers:path; version 2 has hierarchy 0 and names no controller.
        foreach (var membership in memberships.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split(':', 3)).Where(static parts => parts.Length == 3))
        {
            var isUnified = membership[0] == "0" && membership[1].Length == 0;
            if (!isUnified && !membership[1].Split(',').Contains("memory"))
                continue;
            if (Mount(mounts, isUnified) is not var (root, point))
                continue;

            // In a cgroup namespace the mount's root may lie beside or below the path: then only the mount's own group is visible.
            var path = membership[2];
            var below = root == "/" ? path : path == root || path.StartsWith(root + '/', StringComparison.Ordinal) ? path[root.Length..] : "";
            for (below = below.TrimEnd('/'); ; below = below[..Math.Max(below.LastIndexOf('/'), 0)])
            {
                yield return (point + below, isUnified);
                if (below.Length == 0)
                    break;
            }
        }
    }

    /// <summary>id parent device root point options... - type source options (proc_pid_mountinfo(5)).</summary>
    private static (string Root, string Point)? Mount(string mounts, bool isUnified)
    {
        foreach (var line in mounts.Split('\n'))
        {
            var halves = line.Split(" - ", 2);
            if (halves.Length != 2)
                continue;
            var (place, kind) = (halves[0].Split(' '), halves[1].Split(' '));
            var isWanted = isUnified ? kind[0] == "cgroup2" : kind[0] == "cgroup" && kind[^1].Split(',').Contains("memory");
            if (isWanted && place.Length > 4)
                return (place[3], place[4]);
        }

        return null;
    }
}
