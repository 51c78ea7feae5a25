using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>
/// Ctrl-C, SIGTERM, or a terminal that hangs up, as a cancellation: the command ends in order instead of dying. A second Ctrl-C or SIGTERM kills. A further SIGHUP
/// does not: the shell sends one, and the kernel another.
/// </summary>
/// <remarks>A SIGHUP that is ignored when the program starts, as nohup has it, stays ignored.</remarks>
internal sealed class Interrupt : IDisposable
{
    private const int None = -1;

    private readonly CancellationTokenSource _source = new();
    private readonly ControllingTerminal _terminal = new();
    private readonly Action? _hungUpWithoutTerminal;
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration? _hangUp;
    private int _exitCode = None;

    /// <param name="hungUpWithoutTerminal">What a SIGHUP does that comes while the terminal is there, or where there was none at the start; null: it stops the command,
    /// too.</param>
    public Interrupt(Action? hungUpWithoutTerminal = null)
    {
        _hungUpWithoutTerminal = hungUpWithoutTerminal;
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, Host.ExitCode.Interrupted));
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, Host.ExitCode.Done));
        _hangUp = IgnoredSignals.HangUp ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnHangUp);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>What a command that runs until it is stopped ends with; null before there was a signal.</summary>
    public int? ExitCode => Volatile.Read(ref _exitCode) is not None and var code ? code : null;

    /// <summary>What a command ends with that has not done what it was asked because it was stopped.</summary>
    public int CancelledCode => ExitCode is Host.ExitCode.HungUp ? Host.ExitCode.HungUp : Host.ExitCode.Interrupted;

    /// <summary>Runs what ends with its cancellation, and gives that its exit code.</summary>
    public static async Task<int> RunAsync(Func<Interrupt, Task<int>> command)
    {
        using var interrupt = new Interrupt();
        try
        {
            return await command(interrupt);
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            return interrupt.CancelledCode;
        }
    }

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _hangUp?.Dispose();
        _source.Dispose();
    }

    private void OnHangUp(PosixSignalContext context)
    {
        context.Cancel = true;
        if (ExitCode is not null)
            return;
        if (_hungUpWithoutTerminal is not null && !_terminal.HasHungUp)
            _hungUpWithoutTerminal();
        else
            OnSignal(context, Host.ExitCode.HungUp);
    }

    private void OnSignal(PosixSignalContext context, int exitCode)
    {
        if (Interlocked.CompareExchange(ref _exitCode, exitCode, None) != None)
            return;
        context.Cancel = true;
        _source.Cancel();
    }
}
