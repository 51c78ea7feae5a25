using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Tapwire.AspNetCore;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace Tapwire.Samples.ReverseProxy;

/// <summary>A reverse proxy whose both sides are on a Tapwire network.</summary>
public static class ProxyService
{
    /// <summary>Builds the proxy; the caller starts it.</summary>
    /// <param name="destination">The server that is asked.</param>
    public static WebApplication Build(TapwireNetwork network, string destination)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseTapwire(network).ConfigureKestrel(static kestrel => kestrel.ListenAnyIP(80));
        builder.Services.AddSingleton<IForwarderHttpClientFactory>(new TapwireClients(network));
        // No key of this proxy outlives it, or is written to its user's files.
        builder.Services.AddDataProtection().UseEphemeralDataProtectionProvider();
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "all", ClusterId = "servers", Match = new RouteMatch { Path = "{**all}" } }],
            [new ClusterConfig { ClusterId = "servers", Destinations = new Dictionary<string, DestinationConfig> { ["server"] = new() { Address = destination } } }]);
        var app = builder.Build();
        app.MapReverseProxy();
        return app;
    }

    /// <summary>The proxy's connections to servers are the network's.</summary>
    private sealed class TapwireClients(TapwireNetwork network) : ForwarderHttpClientFactory
    {
        protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
        {
            base.ConfigureHandler(context, handler);
            using var model = network.CreateHttpHandler();
            handler.ConnectCallback = model.ConnectCallback;
        }
    }
}
