// An actor that owns a connection: lines that are told to it go to a server, whose answers are told to whoever has asked (as root, for the device):
//   dotnet run --project samples/Actor -- tap:tw0 10.99.0.2/24 10.99.0.1 7
//   ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; nc -l -p 7, where the answers are typed
using System.Globalization;
using Akka.Actor;
using Tapwire;
using Tapwire.Samples.Actor;

if (args is not [var wire, var address, var server, var port])
{
    Console.Error.WriteLine("Usage: Actor WIRE ADDRESS/LENGTH SERVER PORT");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
using var system = ActorSystem.Create("sample");
var asker = system.ActorOf(LineActor.Props(network, server, int.Parse(port, CultureInfo.InvariantCulture)), "lines");
while (Console.ReadLine() is { } line)
    Console.WriteLine(await asker.Ask<string>(line, TimeSpan.FromSeconds(10)));
await system.Terminate();
return 0;
