// Lines of text between two programs, each in a datagram. On a device of the kernel's, with netcat at the other end (as root):
//   dotnet run --project samples/Chat -- tap:tw0 10.99.0.2/24 10.99.0.1:5000
//   ip address add 10.99.0.1/24 dev tw0; ip link set tw0 up; nc -u -p 5000 10.99.0.2 5000
using System.Net;
using Tapwire;
using Tapwire.Samples.Chat;

if (args is not [var wire, var address, var end] || !IPEndPoint.TryParse(end, out var peer))
{
    Console.Error.WriteLine("Usage: Chat WIRE ADDRESS/LENGTH PEER:PORT, as in: Chat tap:tw0 10.99.0.2/24 10.99.0.1:5000");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new() { Wire = wire, Addresses = [address] });
await ChatRoom.RunAsync(network, peer, Lines(), line => Console.WriteLine($"> {line}"));
return 0;

static async IAsyncEnumerable<string> Lines()
{
    while (await Console.In.ReadLineAsync() is { } line)
        yield return line;
}
