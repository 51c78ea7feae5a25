using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Posix;

/// <summary>What memory a process may use, told by files like those of the kernel.</summary>
public sealed class MemoryLimitSpec : IDisposable
{
    private const long MiB = 1 << 20;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-memory-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void Without_control_groups_the_machine_is_the_limit_and_well_used_before_it_is_in_need()
    {
        var limit = Limit("", "", totalMiB: 1000, availableMiB: 250);
        Assert.Equal(1000 * MiB, limit.Bytes);
        Assert.Equal(1, limit.Left());
        WriteMachine(1000, 50);
        Assert.Equal(0.2, limit.Left(), 3);
    }

    [Fact]
    public void The_least_limit_of_all_groups_above_holds_of_version_2()
    {
        Write("a/b/memory.max", "max");
        Write("a/b/memory.current", "0");
        Write("a/memory.max", $"{200 * MiB}");
        Write("a/memory.current", $"{150 * MiB}");
        Write("a/memory.stat", $"anon 1\ninactive_file {30 * MiB}\nactive_file {20 * MiB}\nslab 5\n");
        var limit = Limit("1:cpu:/x\n0::/a/b\n", Mount("/", "cgroup2", "rw"), totalMiB: 1000, availableMiB: 900);
        Assert.Equal(200 * MiB, limit.Bytes);
        Assert.Equal(0.5, limit.Left(), 3);
        Write("a/memory.current", $"{199 * MiB}");
        Write("a/memory.stat", "inactive_file 0\nactive_file 0\n");
        Assert.Equal(0.005, limit.Left(), 3);
    }

    [Fact]
    public void What_a_group_is_slowed_down_above_is_a_limit_too()
    {
        Write("a/memory.max", $"{200 * MiB}");
        Write("a/memory.high", $"{100 * MiB}");
        Write("a/memory.current", "0");
        Assert.Equal(100 * MiB, Limit("0::/a", Mount("/", "cgroup2", "rw"), 1000, 900).Bytes);
    }

    [Fact]
    public void Version_1_has_a_hierarchy_of_its_own_and_a_mount_may_show_a_part_of_it()
    {
        Write("memory.limit_in_bytes", $"{300 * MiB}");
        Write("memory.usage_in_bytes", $"{270 * MiB}");
        Write("memory.stat", $"cache 7\ntotal_inactive_file {60 * MiB}\ntotal_active_file {60 * MiB}\n");
        var limit = Limit("5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n", Mount("/docker/abc", "cgroup", "rw,memory"), 1000, 900);
        Assert.Equal(300 * MiB, limit.Bytes);
        Assert.Equal(0.5, limit.Left(), 3);
    }

    [Theory]
    [InlineData("9223372036854771712")]
    [InlineData("max")]
    [InlineData("")]
    [InlineData("rubbish")]
    public void No_limit_is_none(string text)
    {
        Write("memory.limit_in_bytes", text);
        Write("memory.usage_in_bytes", "1");
        Assert.Equal(1000 * MiB, Limit("4:memory:/", Mount("/", "cgroup", "rw,memory"), 1000, 900).Bytes);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("rubbish", "rubbish - rubbish")]
    [InlineData("0::/a", "1 2 - cgroup2")]
    [InlineData("0::/a\n\n::\n", "36 35 98:0 / /nowhere rw - cgroup2 none rw")]
    public void What_cannot_be_understood_is_no_limit(string memberships, string mounts) =>
        Assert.Equal(1000 * MiB, Limit(memberships, mounts, 1000, 900).Bytes);

    [Fact]
    public void This_machine_has_a_limit_that_is_not_used_up()
    {
        Assert.InRange(MemoryLimit.OfProcess.Bytes, 16 * MiB, 1L << 50);
        Assert.InRange(MemoryLimit.OfProcess.Left(), 0, 1);
    }

    private MemoryLimit Limit(string memberships, string mounts, long totalMiB, long availableMiB)
    {
        WriteMachine(totalMiB, availableMiB);
        return new MemoryLimit(memberships, mounts, Path.Combine(_directory.FullName, "meminfo"));
    }

    private string Mount(string root, string type, string options) => $"36 35 98:0 {root} {_directory.FullName} rw,noatime shared:1 - {type} none {options}\n";

    private void WriteMachine(long totalMiB, long availableMiB) =>
        Write("meminfo", $"MemTotal:       {totalMiB * 1024} kB\nMemFree:        1 kB\nMemAvailable:   {availableMiB * 1024} kB\n");

    private void Write(string name, string text)
    {
        var path = Path.Combine(_directory.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }
}
