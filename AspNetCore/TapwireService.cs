using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Tapwire.AspNetCore;

/// <summary>The driver of a host: it begins before anything listens, and ends after everything has stopped.</summary>
public sealed class TapwireService : IHostedLifecycleService, IAsyncDisposable
{
    private readonly TapwireOptions _options;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _disposed = new();
    private Task<TapwireDriver>? _driver;

    /// <summary>Made by the host's services.</summary>
    public TapwireService(IOptions<TapwireOptions> options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options.Value;
    }

    /// <summary>The network, once its driver has started.</summary>
    /// <exception cref="TapwireException">The driver does not come up; the message says why.</exception>
    /// <exception cref="ObjectDisposedException">The host has stopped before the driver was started.</exception>
    public async Task<TapwireNetwork> NetworkAsync(CancellationToken cancellationToken = default)
    {
        Task<TapwireDriver> driver;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_driver is null && _disposed.IsCancellationRequested, this);
            driver = _driver ??= TapwireDriver.StartAsync(_options, _disposed.Token);
        }

        return await driver.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public Task StartingAsync(CancellationToken cancellationToken) => NetworkAsync(cancellationToken);

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public Task StoppedAsync(CancellationToken cancellationToken) => DisposeAsync().AsTask();

    /// <summary>Stops the driver in order; one that is still starting is given up.</summary>
    public async ValueTask DisposeAsync()
    {
        Task<TapwireDriver>? driver;
        lock (_gate)
        {
            driver = _driver;
            _disposed.Cancel();
        }

        try
        {
            if (driver is not null)
                await (await driver.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is TapwireException or OperationCanceledException)
        {
            // It has not come up: who has started it has heard why.
        }
    }

    internal bool HasEnded => _driver is { IsCompletedSuccessfully: true } driver && driver.Result.Ended.IsCompleted;
}

/// <summary>Healthy while the driver answers.</summary>
internal sealed class TapwireHealth(TapwireService service) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (service.HasEnded)
            return HealthCheckResult.Unhealthy("The driver has ended.");
        try
        {
            var network = await service.NetworkAsync(cancellationToken).WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            await network.GetStatusAsync(cancellationToken).WaitAsync(Patience, cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy("The driver is ready.");
        }
        catch (Exception e) when (e is TimeoutException or TapwireException or ObjectDisposedException or System.Net.Sockets.SocketException)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }
}
