using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Tapwire.AspNetCore;

/// <summary>Tapwire in programs of ASP.NET Core, and of the generic host.</summary>
public static class TapwireHosting
{
    /// <summary>Has Kestrel listen on a Tapwire network: all endpoints with an address and a port. HTTP/1.1, HTTP/2, TLS and WebSockets are as with its own sockets.</summary>
    /// <param name="network">Stays the caller's, and must outlive the host.</param>
    public static IWebHostBuilder UseTapwire(this IWebHostBuilder builder, TapwireNetwork network)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(network);
        return builder.ConfigureServices(services => services.AddSingleton<IConnectionListenerFactory>(new TapwireTransport(network)));
    }

    /// <summary>The same with the network of <see cref="AddTapwire(IServiceCollection, IConfiguration)"/>.</summary>
    public static IWebHostBuilder UseTapwire(this IWebHostBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.ConfigureServices(services => services.AddSingleton<IConnectionListenerFactory>(
            static provider => new TapwireTransport(provider.GetRequiredService<TapwireService>().NetworkAsync)));
    }

    /// <summary>Adds a driver in this process, which begins and ends with the host: <see cref="TapwireService"/> has its network. With a health check "tapwire".</summary>
    /// <param name="configuration">The section with the properties of <see cref="TapwireOptions"/>.</param>
    public static IServiceCollection AddTapwire(this IServiceCollection services, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return services.AddTapwire(configuration.Bind);
    }

    /// <inheritdoc cref="AddTapwire(IServiceCollection, IConfiguration)"/>
    public static IServiceCollection AddTapwire(this IServiceCollection services, Action<TapwireOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(configure);
        services.AddOptions<TapwireOptions>().Configure(configure);
        services.TryAddSingleton<TapwireService>();
        services.TryAddSingleton<IConnectionFactory>(static provider => new TapwireTransport(provider.GetRequiredService<TapwireService>().NetworkAsync));
        services.AddHostedService(static provider => provider.GetRequiredService<TapwireService>());
        services.AddHealthChecks().Add(new HealthCheckRegistration("tapwire", static provider => new TapwireHealth(provider.GetRequiredService<TapwireService>()), null, ["tapwire", "readiness"]));
        return services;
    }

    /// <summary>Has a client's connections be on the network of <see cref="AddTapwire(IServiceCollection, IConfiguration)"/>.</summary>
    public static IHttpClientBuilder UseTapwire(this IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.UseSocketsHttpHandler(static (handler, provider) =>
        {
            var service = provider.GetRequiredService<TapwireService>();
            handler.UseProxy = false;
            handler.ConnectCallback = async (context, cancellationToken) =>
            {
                var network = await service.NetworkAsync(cancellationToken).ConfigureAwait(false);
                return await network.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, new TapwireConnectOptions { NoDelay = true }, cancellationToken).ConfigureAwait(false);
            };
        });
    }

    /// <summary>The same with a network of the caller's.</summary>
    public static IHttpClientBuilder UseTapwire(this IHttpClientBuilder builder, TapwireNetwork network)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(network);
        return builder.ConfigurePrimaryHttpMessageHandler(network.CreateHttpHandler);
    }
}
