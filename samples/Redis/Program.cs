// StackExchange.Redis on a Tapwire network (as root, for the device):
//   ip tuntap add dev tw0 mode tap; ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; redis-server --bind 10.99.0.1 --protected-mode no
//   dotnet run --project samples/Redis -- tap:tw0 10.99.0.2/24 10.99.0.1 SET greeting hello
using StackExchange.Redis;
using Tapwire;
using Tapwire.Samples.Redis;

if (args is not [var wire, var address, var server, var command, .. var rest])
{
    Console.Error.WriteLine("Usage: Redis WIRE ADDRESS/LENGTH SERVER COMMAND...");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
var options = new ConfigurationOptions { EndPoints = { { server, 6379 } }, Tunnel = new TapwireTunnel(network), AbortOnConnectFail = false };
await using var redis = await ConnectionMultiplexer.ConnectAsync(options);
Console.WriteLine(await redis.GetDatabase().ExecuteAsync(command, [.. rest]));
return 0;
