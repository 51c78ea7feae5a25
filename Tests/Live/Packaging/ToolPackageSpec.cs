using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Packaging;

/// <summary><c>dotnet tool install</c> and the single file: what somebody else gets runs as what is built here.</summary>
[Collection(PackagingCollection.Name)]
public sealed class ToolPackageSpec(PublishedProgram published)
{
    [SkippableFact]
    public void The_tool_is_installed_from_a_folder_and_runs_demo_and_programs()
    {
        using var network = NetworkNamespace.Create();
        var sources = Path.Combine(published.Directory, "nuget.config");
        File.WriteAllText(sources, "<configuration><packageSources><clear /></packageSources></configuration>");
        var tools = Path.Combine(published.Directory, "tools");
        var installed = PublishedProgram.Run(TapwireProgram.Host, "tool", "install", "Tapwire.Tool", "--tool-path", tools, "--configfile", sources, "--add-source", published.ToolFeed);
        Assert.True(installed.ExitCode == 0, installed.Output + installed.Error);

        var tapwire = Path.Combine(tools, "tapwire");
        var environment = $"DOTNET_ROOT={Path.GetDirectoryName(Path.GetFullPath(File.ResolveLinkTarget(TapwireProgram.Host, returnFinalTarget: true)?.FullName ?? TapwireProgram.Host))}";
        Assert.Contains("intact: 1 MiB", network.Exec("env", environment, tapwire, "demo", "--size", "1MiB"), StringComparison.Ordinal);
        Assert.Contains("/libtapwire.so\n", network.Exec("env", environment, tapwire, "run", "--wire", "tap:tw9", "--address", "10.98.0.2/24", "--", "cat", "/proc/self/maps"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void The_single_file_alone_runs_demo_and_programs_of_any_user()
    {
        using var network = NetworkNamespace.Create();
        var alone = Path.Combine(published.Directory, "alone");
        Directory.CreateDirectory(alone);
        PublishedProgram.Run("chmod", "0755", alone);
        var tapwire = Path.Combine(alone, "tapwire");
        File.Copy(Path.Combine(published.SingleFile, "tapwire"), tapwire);
        Assert.Contains("intact: 1 MiB", network.Exec(tapwire, "demo", "--size", "1MiB"), StringComparison.Ordinal);

        // Each user has a library of his own, in a directory that nobody else can write to.
        foreach (var user in (string[])["0", "65534"])
        {
            var cache = Path.Combine(published.Directory, $"cache-{user}");
            Directory.CreateDirectory(cache);
            network.Exec("chown", user, cache);
            var program = network.Exec("unshare", "-m", "sh", "-c", """
                mount -t tmpfs tmpfs /var/cache
                # With the mode that udev gives it.
                mount -t tmpfs tmpfs /dev/net
                mknod -m 666 /dev/net/tun c 10 200
                exec setpriv --reuid $0 --regid $0 --clear-groups --inh-caps=-all,+net_admin --ambient-caps=-all,+net_admin --bounding-set=-all,+net_admin \
                    env HOME=/nonexistent XDG_CACHE_HOME=$1 "$2" run --wire tap:tw9 --address 10.98.0.2/24 -- cat /proc/self/maps
                """, user, cache, tapwire);
            Assert.Matches($@" {(user == "0" ? "/var/cache" : cache)}/tapwire/libtapwire-[0-9a-f]{{32}}\.so\n", program);
        }
    }
}
