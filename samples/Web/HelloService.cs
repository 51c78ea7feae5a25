using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Tapwire.AspNetCore;

namespace Tapwire.Samples.Web;

/// <summary>A service with one resource.</summary>
public static class HelloService
{
    /// <summary>Where it listens.</summary>
    public const int Port = 8080;

    /// <summary>Builds the service on a network; the caller starts it.</summary>
    public static WebApplication Build(TapwireNetwork network)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTapwire(network).ConfigureKestrel(static kestrel => kestrel.ListenAnyIP(Port));
        var app = builder.Build();
        app.MapGet("/hello/{name}", static (string name, HttpContext context) => $"Hello {name}, you come from {context.Connection.RemoteIpAddress}.");
        return app;
    }
}
