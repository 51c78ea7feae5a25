using Microsoft.Extensions.Hosting;

namespace Tapwire.Host;

/// <summary>Stops the host on an interrupt, and prints nothing. An interrupt during the start takes effect after it.</summary>
internal sealed class HostLifetime(IHostApplicationLifetime application, Interrupt? interrupt) : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        application.ApplicationStarted.Register(() => interrupt?.Token.Register(application.StopApplication));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
