using System.Diagnostics;
using System.Net;
using Tapwire;
using Tapwire.AspNetCore;

// A service of ASP.NET Core, for Bench/EndToEnd: the same on the kernel's sockets, on a driver within this process, and on a driver's link.
//   sockets PORT | driver PORT WIRE ADDRESS/LENGTH | link PORT PATH
if (args is not [var kind, var portText, .. var where] || !int.TryParse(portText, out var port) || (kind, where.Length) is not (("sockets", 0) or ("driver", 2) or ("link", 1)))
{
    Console.Error.WriteLine("Bench/Kestrel sockets PORT | driver PORT WIRE ADDRESS/LENGTH | link PORT PATH");
    return 2;
}

await using var network = kind switch
{
    "driver" => await TapwireNetwork.StartAsync(new TapwireOptions { Wire = where[0], Addresses = [where[1]] }),
    "link" => await TapwireNetwork.ConnectToDriverAsync(where[0]),
    _ => null,
};

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Any, port));
if (network is not null)
    builder.WebHost.UseTapwire(network);

await using var app = builder.Build();
var small = "Hello, World!"u8.ToArray();
var large = new byte[1 << 20];
app.MapGet("/small", context => Send(context, small));
app.MapGet("/large", context => Send(context, large));

// One line: this process's managed memory after a full collection and its resident memory, in bytes, and its threads.
app.MapGet("/memory", () =>
{
    GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
    using var process = Process.GetCurrentProcess();
    return $"{GC.GetTotalMemory(forceFullCollection: true)} {process.WorkingSet64} {process.Threads.Count}\n";
});
await app.RunAsync();
return 0;

static Task Send(HttpContext context, byte[] body)
{
    context.Response.ContentType = "application/octet-stream";
    context.Response.ContentLength = body.Length;
    return context.Response.Body.WriteAsync(body).AsTask();
}
