using System.Net.Sockets;
using Npgsql;

namespace Tapwire.Samples.Postgres;

/// <summary>Npgsql takes no stream of its user's, but the directory of an AF_UNIX socket as its host. So one leads to the server.</summary>
public sealed class PostgresForward : IAsyncDisposable
{
    private const int Port = 5432;

    private readonly DirectoryInfo _directory;
    private readonly TapwireForward _forward;

    /// <param name="settings">A connection string, but for the server.</param>
    public PostgresForward(TapwireNetwork network, string server, string settings)
    {
        // With mode 0700. The name of the socket in it is PostgreSQL's.
        _directory = Directory.CreateTempSubdirectory("tapwire-");
        var path = Path.Combine(_directory.FullName, $".s.PGSQL.{Port}");
        _forward = network.Forward(new UnixDomainSocketEndPoint(path), server, Port, why => Console.Error.WriteLine($"{server}: {why.Message}"));
        Source = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(settings) { Host = _directory.FullName, Port = Port });
    }

    /// <summary>Connections to the server.</summary>
    public NpgsqlDataSource Source { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Source.DisposeAsync();
        await _forward.DisposeAsync();
        _directory.Delete();
    }
}
