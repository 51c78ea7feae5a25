using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>Ctrl-C, or SIGTERM, as a cancellation: the command ends in order instead of dying. A second one kills.</summary>
internal sealed class Interrupt : IDisposable
{
    private const int None = -1;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private int _exitCode = None;

    public Interrupt()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, Host.ExitCode.Interrupted));
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, Host.ExitCode.Done));
    }

    public CancellationToken Token => _source.Token;

    /// <summary>What a command that runs until it is stopped ends with; null before there was a signal.</summary>
    public int? ExitCode => Volatile.Read(ref _exitCode) is not None and var code ? code : null;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _source.Dispose();
    }

    private void OnSignal(PosixSignalContext context, int exitCode)
    {
        if (Interlocked.CompareExchange(ref _exitCode, exitCode, None) != None)
            return;
        context.Cancel = true;
        _source.Cancel();
    }
}
