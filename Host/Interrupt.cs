using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>
/// Turns Ctrl-C, SIGTERM and a terminal's hang-up into a cancellation, so that the command ends in order instead of dying. A second Ctrl-C or SIGTERM kills. A second
/// SIGHUP does not, because the shell sends one and the kernel another.
/// </summary>
/// <remarks>A SIGHUP that is ignored when the program starts, as by nohup, stays ignored.</remarks>
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

    /// <param name="hungUpWithoutTerminal">
    /// Handles a SIGHUP that comes while the terminal exists, or if there was none at the start. Null: such a SIGHUP stops the command, too.
    /// </param>
    public Interrupt(Action? hungUpWithoutTerminal = null)
    {
        _hungUpWithoutTerminal = hungUpWithoutTerminal;
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => OnSignal(context, Host.ExitCode.Interrupted));
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => OnSignal(context, Host.ExitCode.Done));
        _hangUp = IgnoredSignals.HangUp ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnHangUp);
    }

    public CancellationToken Token => _source.Token;

    /// <summary>The exit code of a command that runs until it is stopped; null before a signal.</summary>
    public int? ExitCode => Volatile.Read(ref _exitCode) is not None and var code ? code : null;

    /// <summary>The exit code of a command that was stopped before it had finished.</summary>
    public int CancelledCode => ExitCode is Host.ExitCode.HungUp ? Host.ExitCode.HungUp : Host.ExitCode.Interrupted;

    /// <summary>Runs a command. If it ends by the cancellation of its interrupt, the result is the exit code for that.</summary>
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

    /// <summary>Stops the command as SIGTERM does.</summary>
    public void Stop()
    {
        if (Interlocked.CompareExchange(ref _exitCode, Host.ExitCode.Done, None) == None)
            _source.Cancel();
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
