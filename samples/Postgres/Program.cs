// Npgsql on a Tapwire network (as root, for the device):
//   ip tuntap add dev tw0 mode tap; ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up, and a PostgreSQL server that listens on 10.99.0.1
//   dotnet run --project samples/Postgres -- tap:tw0 10.99.0.2/24 10.99.0.1 "Username=postgres;Database=postgres" "select version()"
using Tapwire;
using Tapwire.Samples.Postgres;

if (args is not [var wire, var address, var server, var settings, var query])
{
    Console.Error.WriteLine("Usage: Postgres WIRE ADDRESS/LENGTH SERVER SETTINGS QUERY");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
await using var postgres = new PostgresForward(network, server, settings);
await using var command = postgres.Source.CreateCommand(query);
Console.WriteLine(await command.ExecuteScalarAsync());
return 0;
