using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Tapwire.Host;

/// <summary>
/// Requests that signals make to a running driver: to print its counters (SIGUSR1), to read its settings again (SIGHUP). A request that comes before the driver is up
/// waits. A request that is repeated before it is handled is handled once.
/// </summary>
internal sealed class DriverSignals : IDisposable
{
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly PosixSignalRegistration _show;
    private int _asked;

    public DriverSignals()
    {
        _show = PosixSignalRegistration.Create(LinuxSignals.SIGUSR1, context =>
        {
            context.Cancel = true;
            Add(DriverRequests.Show);
        });
    }

    public void Add(DriverRequests request)
    {
        Interlocked.Or(ref _asked, (int)request);
        _wake.Writer.TryWrite(true);
    }

    /// <summary>Waits for requests, and takes them.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public async Task<DriverRequests> TakeAsync(CancellationToken cancel)
    {
        await _wake.Reader.ReadAsync(cancel);
        return (DriverRequests)Interlocked.Exchange(ref _asked, 0);
    }

    public void Dispose() => _show.Dispose();
}

/// <summary>Requests to a running driver.</summary>
[Flags]
internal enum DriverRequests
{
    None = 0,
    Show = 1,
    Reload = 2,
}
