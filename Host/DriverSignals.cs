using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Tapwire.Host;

/// <summary>
/// What signals ask of a driver that runs: to show its counters (SIGUSR1), to read its settings again (SIGHUP). Asked before the driver is up it waits; asked twice
/// before it has been done it is done once.
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

    /// <summary>Waits until something is asked, and takes it.</summary>
    /// <exception cref="OperationCanceledException">The token is.</exception>
    public async Task<DriverRequests> TakeAsync(CancellationToken cancel)
    {
        await _wake.Reader.ReadAsync(cancel);
        return (DriverRequests)Interlocked.Exchange(ref _asked, 0);
    }

    public void Dispose() => _show.Dispose();
}

/// <summary>What a driver is asked while it runs.</summary>
[Flags]
internal enum DriverRequests
{
    None = 0,
    Show = 1,
    Reload = 2,
}
