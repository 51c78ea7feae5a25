using Microsoft.Extensions.Hosting;

namespace Tapwire.Host;

/// <summary>Ends the host when there is an interrupt, and says nothing. One that comes while the host starts waits until it has.</summary>
internal sealed class HostLifetime(IHostApplicationLifetime application, Interrupt? interrupt) : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        application.ApplicationStarted.Register(() => interrupt?.Token.Register(application.StopApplication));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
