namespace Tapwire.Tests.Live.Support;

/// <summary>PostgreSQL's server, which does not run as root: its user has its files, and must get into the directory of them.</summary>
internal static class PostgresServer
{
    /// <summary>The command that has the server's user run another one.</summary>
    public static readonly string[] User = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];

    /// <summary>Without that user there is nothing to try.</summary>
    public static bool HasUser => File.ReadLines("/etc/passwd").Any(static line => line.StartsWith("postgres:", StringComparison.Ordinal));

    /// <summary>Where Debian has the programs of a server; null: nowhere.</summary>
    public static string? Binaries => !Directory.Exists("/usr/lib/postgresql") ? null
        : Directory.EnumerateDirectories("/usr/lib/postgresql").Select(static version => Path.Combine(version, "bin")).LastOrDefault(static binaries => File.Exists(Path.Combine(binaries, "initdb")));

    /// <summary>Makes an empty database that trusts hosts of these networks.</summary>
    /// <param name="data">A directory, which is made.</param>
    /// <param name="run">Runs a command to its end, and fails if the command does.</param>
    /// <returns>The command that serves it, but for the last word, "listen_addresses=" and the addresses.</returns>
    public static string[] Make(string binaries, string data, Action<string[]> run, params string[] networks)
    {
        run(["install", "-d", "-o", "postgres", "-g", "postgres", data]);
        run([.. User, $"{binaries}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"]);
        File.AppendAllLines(Path.Combine(data, "pg_hba.conf"), networks.Select(static network => $"host all all {network} trust"));
        return [.. User, $"{binaries}/postgres", "-D", data, "-c", "unix_socket_directories=", "-c", "fsync=off", "-c"];
    }
}
