using Npgsql;
using Tapwire.Samples.Postgres;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>Npgsql on a driver in this process, by an AF_UNIX socket that leads to a server at the kernel's end of the wire.</summary>
public sealed class PostgresSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    // PostgreSQL does not run as root: its user is to get in.
    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("tapwire-");

    public void Dispose() => _files.Delete(recursive: true);

    [SkippableFact]
    public async Task Npgsql_asks_writes_copies_is_notified_and_cancels_a_query()
    {
        using var space = NetworkNamespace.Create();
        await using var network = await TapwireNetwork.StartAsync(new()
        {
            Wire = "tap:tw0",
            Addresses = ["10.99.0.2/24"],
            Settings = "tap.peer-address = \"10.99.0.1/24\", dns { hosts { \"db.office\" = \"10.99.0.1\" }\n hosts-file = \"\" }",
            OpenWithin = space.Run,
        }).WaitAsync(Patience);
        Serve(space);

        await using var postgres = new PostgresForward(network, "db.office", "Username=postgres;Database=postgres;Timeout=120;Command Timeout=120");
        await using var connection = await postgres.Source.OpenConnectionAsync();
        Assert.Equal("10.99.0.2", await AskAsync(connection, "select host(inet_client_addr())"));
        await AskAsync(connection, "create table lines (n int, line text)");
        await using (var copy = await connection.BeginBinaryImportAsync("copy lines from stdin (format binary)"))
        {
            for (var i = 0; i < 20_000; i++)
                await copy.WriteRowAsync(CancellationToken.None, i, new string('x', 100));
            Assert.Equal(20_000UL, await copy.CompleteAsync());
        }

        Assert.Equal(199990000L, await AskAsync(connection, "select sum(n) from lines where length(line) = 100"));
        var sums = await Task.WhenAll(Enumerable.Range(0, 20).Select(async n =>
        {
            await using var command = postgres.Source.CreateCommand($"select sum(n) + {n} from generate_series(1, 1000) n");
            return await command.ExecuteScalarAsync();
        })).WaitAsync(Patience);
        Assert.Equal(Enumerable.Range(0, 20).Select(static n => (object?)(500500L + n)), sums);

        await using var listening = await postgres.Source.OpenConnectionAsync();
        var told = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        listening.Notification += (_, e) => told.TrySetResult(e.Payload);
        await AskAsync(listening, "listen news");
        await AskAsync(connection, "select pg_notify('news', 'first')");
        await listening.WaitAsync().WaitAsync(Patience);
        Assert.Equal("first", await told.Task);

        // Npgsql cancels by a connection of its own.
        using var cancel = new CancellationTokenSource();
        await using var slow = new NpgsqlCommand("select pg_sleep(1000)", connection);
        var sleeping = slow.ExecuteScalarAsync(cancel.Token);
        cancel.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sleeping.WaitAsync(Patience));
        Assert.Equal(1, await AskAsync(connection, "select 1"));
    }

    [SkippableFact]
    public async Task The_sample_asks_and_prints_the_answer()
    {
        using var space = NetworkNamespace.Create();
        KernelEnd.MakeDevice(space);
        Serve(space);
        var program = SampleProgramsSpec.Start(space, "Postgres", "tap:tw0", "10.99.0.2/24", "10.99.0.1", "Username=postgres;Database=postgres;Timeout=120", "select 6 * 7");
        Assert.Equal("42\n", await program.StandardOutput.ReadToEndAsync().WaitAsync(Patience));
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(program));
    }

    private static async Task<object?> AskAsync(NpgsqlConnection connection, string query)
    {
        await using var command = new NpgsqlCommand(query, connection);
        return await command.ExecuteScalarAsync().WaitAsync(Patience);
    }

    private void Serve(NetworkNamespace space)
    {
        Skip.IfNot(PostgresServer.HasUser, "there is no user 'postgres'");
        var programs = PostgresServer.Binaries;
        Skip.If(programs is null, "there is no PostgreSQL server");
        space.Exec("chmod", "0711", _files.FullName);
        var server = PostgresServer.Make(programs!, Path.Combine(_files.FullName, "data"), command => space.Exec(command[0], command[1..]), "10.99.0.0/24");
        space.Start(server[0], [.. server[1..], "listen_addresses=10.99.0.1"]);
        KernelEnd.Await(space, "PostgreSQL does not come up.", $"{programs}/pg_isready", "-q", "-h", "10.99.0.1", "-t", "5");
    }
}
