using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;
using Serilog;

namespace Tapwire.Host;

/// <summary>
/// Notifies the service manager, if it has asked for that at the start (sd_notify(3), Type=notify). Otherwise nothing is sent.
/// </summary>
internal sealed class ServiceManager
{
    private const string SocketVariable = "NOTIFY_SOCKET";
    private const string WatchdogVariable = "WATCHDOG_USEC";
    private const string WatchdogProcessVariable = "WATCHDOG_PID";

    private readonly SystemdNotifier _notifier = new();
    private readonly TimeProvider _clock;
    private bool _hasFailed;

    private ServiceManager(TimeProvider clock)
    {
        _clock = clock;
        WatchdogTimeout = AskedTimeout();
    }

    /// <summary>The service manager ends a process that has sent no notification for this long; null: it has no watchdog.</summary>
    public TimeSpan? WatchdogTimeout { get; }

    /// <summary>Takes the variables from the environment and removes them there, because programs that this process starts are not the service.</summary>
    public static ServiceManager Take(TimeProvider? clock = null)
    {
        var manager = new ServiceManager(clock ?? TimeProvider.System);
        foreach (var variable in (string[])[SocketVariable, WatchdogVariable, WatchdogProcessVariable])
            Environment.SetEnvironmentVariable(variable, null);
        return manager;
    }

    /// <summary>Notifies that the service is running, after its start or a reload.</summary>
    /// <param name="status">One line for the operator.</param>
    public void Ready(string status) => Tell($"READY=1\nSTATUS={status}");

    /// <summary>Notifies that the settings are read again. <see cref="Ready"/> must follow, even if the reload fails.</summary>
    public void Reloading() => Tell(string.Create(CultureInfo.InvariantCulture,
        $"RELOADING=1\nMONOTONIC_USEC={(long)_clock.GetElapsedTime(0).TotalMicroseconds}\nSTATUS=reading its settings again"));

    public void Stopping() => Tell("STOPPING=1\nSTATUS=stopping in order");

    /// <summary>Notifies the watchdog twice per time-out while the service is healthy. Ends with the token.</summary>
    /// <param name="isWell">Tests whether the service is healthy. An answer after the cancellation of its token does not count.</param>
    public async Task KeepAliveAsync(Func<CancellationToken, Task<bool>> isWell, CancellationToken ending)
    {
        if (WatchdogTimeout is not { } timeout)
            return;
        var interval = timeout / 2;
        while (!ending.IsCancellationRequested)
        {
            using var patience = new CancellationTokenSource(interval, _clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ending, patience.Token);
            if (await isWell(either.Token))
                Tell("WATCHDOG=1");
            await Task.Delay(interval, _clock, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The watchdog's time-out for this process. A process that the service has started inherits the variables, but they do not apply to it.</summary>
    private static TimeSpan? AskedTimeout() =>
        long.TryParse(Environment.GetEnvironmentVariable(WatchdogVariable), NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds) && microseconds > 0
        && (Environment.GetEnvironmentVariable(WatchdogProcessVariable) is not { Length: > 0 } process || process == Environment.ProcessId.ToString(CultureInfo.InvariantCulture))
            ? TimeSpan.FromMicroseconds(microseconds)
            : null;

    private void Tell(string state)
    {
        if (!_notifier.IsEnabled)
            return;
        try
        {
            _notifier.Notify(new ServiceState(state));
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            // Only the first failure is logged: a manager that does not listen once will not later, and the driver works without it.
            if (!_hasFailed)
                Log.Warning("The service manager cannot be told how the driver is: {Reason} (NOTIFY_SOCKET)", e.Message);
            _hasFailed = true;
        }
    }
}
