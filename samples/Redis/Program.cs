// A client of Redis over a stream of a Tapwire network (as root, for the device):
//   dotnet run --project samples/Redis -- tap:tw0 10.99.0.2/24 10.99.0.1 SET greeting hello
//   ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; redis-server --bind 10.99.0.1
using Tapwire;
using Tapwire.Samples.Redis;

if (args is not [var wire, var address, var server, .. { Length: > 0 } command])
{
    Console.Error.WriteLine("Usage: Redis WIRE ADDRESS/LENGTH SERVER COMMAND...");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
await using var redis = await RespClient.ConnectAsync(network, server);
Console.WriteLine(await redis.SendAsync(command));
return 0;
