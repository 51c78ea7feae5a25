using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>PostgreSQL does not run as root: its user is one whom the settings admit to the link, and forks a process for each connection.</summary>
public abstract class PostgresSpecs(ProgramPath path)
{
    internal const string Settings = "tapwire.link.users = [postgres]";

    [SkippableFact]
    public async Task Psql_and_pgbench_work_with_a_server_on_tapwire_and_from_tapwire()
    {
        Skip.IfNot(PostgresServer.HasUser, "there is no user 'postgres'");
        path.Need("pg_config", "psql", "setpriv");
        var programs = path.RunOnKernel("sh", "-c", "ls -d $(pg_config --bindir) /usr/lib/postgresql/*/bin 2>/dev/null | while read d; do [ -x $d/initdb ] && echo $d && break; done").Trim();
        Skip.If(programs.Length == 0, "there is no PostgreSQL server");
        var data = Path.Combine(path.Files, "data");
        var server = PostgresServer.Make(programs, data, command => path.RunOnKernel(command), "10.99.0.0/24", "fd00:99::/64");
        path.RunOnKernel("chmod", "0711", Path.GetDirectoryName(path.Driver.LinkPath)!);

        using (var tapwire = await path.ServeOnTapwireAsync(5432, [.. server, $"listen_addresses={path.AnyAddress}"]))
        {
            Work(path.RunOnKernel, path.TapwireAddress, programs);
            path.RunOnKernel([.. PostgresServer.User, $"{programs}/pg_ctl", "-D", data, "-m", "fast", "stop"]);
        }

        using var kernel = await path.ServeOnKernelAsync(5432, [.. server, $"listen_addresses={path.KernelAddress}"]);
        Work(path.RunOnTapwire, path.KernelAddress, programs);
    }

    private static void Work(Func<string[], string> run, string host, string programs)
    {
        string[] server = ["-h", host, "-U", "postgres"];
        run(["timeout", "30", "sh", "-c", $"until {programs}/pg_isready -q -h {host}; do :; done"]);
        Assert.Equal("500500", run([$"{programs}/psql", .. server, "-Atc", "select sum(n) from generate_series(1, 1000) n"]).Trim());
        run([$"{programs}/pgbench", .. server, "-i", "-q", "postgres"]);
        var report = run([$"{programs}/pgbench", .. server, "-c", "8", "-j", "2", "-t", "50", "postgres"]);
        Assert.Contains("number of transactions actually processed: 400/400", report, StringComparison.Ordinal);
        Assert.Contains("number of failed transactions: 0", report, StringComparison.Ordinal);
    }
}

public sealed class PostgresPath() : ProgramPath(PostgresSpecs.Settings, "");

public sealed class PostgresPathV6() : ProgramPath(PostgresSpecs.Settings, "", isV6: true);

public sealed class LossyPostgresPath() : ProgramPath(PostgresSpecs.Settings, LossyPath.Ruleset);

[Collection(LiveProgramsCollection.Name)]
public sealed class PostgresSpec(PostgresPath path) : PostgresSpecs(path), IClassFixture<PostgresPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class PostgresOverIpv6Spec(PostgresPathV6 path) : PostgresSpecs(path), IClassFixture<PostgresPathV6>;

[Collection(LiveProgramsCollection.Name)]
public sealed class PostgresUnderLossSpec(LossyPostgresPath path) : PostgresSpecs(path), IClassFixture<LossyPostgresPath>;
