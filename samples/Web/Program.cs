// A service of Kestrel's on a Tapwire network, and a client that asks one there (as root, for the device):
//   dotnet run --project samples/Web -- serve tap:tw0 10.99.0.2/24
//   ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; curl http://10.99.0.2:8080/hello/you
//   dotnet run --project samples/Web -- get tap:tw1 10.98.0.2/24 http://10.98.0.1/
using Microsoft.AspNetCore.Builder;
using Tapwire;
using Tapwire.Samples.Web;

if (args is not (["serve", _, _] or ["get", _, _, _]))
{
    Console.Error.WriteLine("Usage: Web serve WIRE ADDRESS/LENGTH, or Web get WIRE ADDRESS/LENGTH URL");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = args[1], Addresses = [args[2]] });
if (args[0] == "get")
{
    using var http = new HttpClient(network.CreateHttpHandler());
    Console.WriteLine(await http.GetStringAsync(args[3]));
    return 0;
}

await using var app = HelloService.Build(network);
await app.RunAsync();
return 0;
