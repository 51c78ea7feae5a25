// A gRPC service on a Tapwire network, and a client that calls it there (as root, for the devices, whose other ends are on a bridge):
//   dotnet run --project samples/Grpc -- serve tap:tw0 10.99.0.2/24
//   dotnet run --project samples/Grpc -- greet tap:tw1 10.99.0.3/24 10.99.0.2 you
//   ip link add br0 type bridge; ip link set br0 up; ip link set tw0 master br0 up; ip link set tw1 master br0 up
using Microsoft.AspNetCore.Builder;
using Tapwire;
using Tapwire.Samples.Grpc;

if (args is not (["serve", _, _] or ["greet", _, _, _, _]))
{
    Console.Error.WriteLine("Usage: Grpc serve WIRE ADDRESS/LENGTH, or Grpc greet WIRE ADDRESS/LENGTH HOST NAME");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = args[1], Addresses = [args[2]] });
if (args[0] == "greet")
{
    using var channel = GreeterService.Connect(network, args[3]);
    var reply = await new Greeter.GreeterClient(channel).GreetAsync(new GreetRequest { Name = args[4] });
    Console.WriteLine(reply.Text);
    return 0;
}

await using var app = GreeterService.Build(network);
await app.RunAsync();
return 0;
