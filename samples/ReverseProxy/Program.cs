// YARP on a Tapwire network: what is asked here on port 80 is asked of another server of the network (as root, for the device):
//   dotnet run --project samples/ReverseProxy -- tap:tw0 10.99.0.2/24 http://10.99.0.1:8080/
//   ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; python3 -m http.server 8080 --bind 10.99.0.1 & curl http://10.99.0.2/
using Microsoft.AspNetCore.Builder;
using Tapwire;
using Tapwire.Samples.ReverseProxy;

if (args is not [var wire, var address, var destination])
{
    Console.Error.WriteLine("Usage: ReverseProxy WIRE ADDRESS/LENGTH URL");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
await using var app = ProxyService.Build(network, destination);
await app.RunAsync();
return 0;
