using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;
using Serilog;

namespace Tapwire.Host;

/// <summary>
/// What a service manager is told of this process, if it has asked for that when it started it (sd_notify(3), Type=notify). Elsewhere nothing is sent.
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

    /// <summary>The process is ended when it has said nothing for that long; null: nobody waits for it.</summary>
    public TimeSpan? WatchdogTimeout { get; }

    /// <summary>Takes what the environment says of it, and removes it there: programs that this process starts are not the service.</summary>
    public static ServiceManager Take(TimeProvider? clock = null)
    {
        var manager = new ServiceManager(clock ?? TimeProvider.System);
        foreach (var variable in (string[])[SocketVariable, WatchdogVariable, WatchdogProcessVariable])
            Environment.SetEnvironmentVariable(variable, null);
        return manager;
    }

    /// <summary>The service does its work, after its start or after it has read its settings again.</summary>
    /// <param name="status">One line for people.</param>
    public void Ready(string status) => Tell($"READY=1\nSTATUS={status}");

    /// <summary>It reads its settings again. <see cref="Ready"/> follows, whatever comes of it.</summary>
    public void Reloading() => Tell(string.Create(CultureInfo.InvariantCulture,
        $"RELOADING=1\nMONOTONIC_USEC={(long)_clock.GetElapsedTime(0).TotalMicroseconds}\nSTATUS=reading its settings again"));

    public void Stopping() => Tell("STOPPING=1\nSTATUS=stopping in order");

    /// <summary>Says twice in the time that is asked for that the service is well, while it is. Ends with the token.</summary>
    /// <param name="isWell">Ends, with true, if the service is well; what it answers after its token has ended does not count.</param>
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

    /// <summary>Of this process: one that was started by the service inherits the variables, and is not meant.</summary>
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
            // Who does not listen once will not later; that the driver works does not depend on it.
            if (!_hasFailed)
                Log.Warning("The service manager cannot be told how the driver is: {Reason} (NOTIFY_SOCKET)", e.Message);
            _hasFailed = true;
        }
    }
}
