using Akka.Event;
using Serilog;
using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Configuration;

namespace Tapwire.Host;

/// <summary>
/// Reads the settings again, and applies those that a running driver can change. Wrong settings change nothing. The log has one line each for what has changed, what
/// could not be changed, and what takes effect at the next start.
/// </summary>
/// <param name="load">Reads defaults, file and command line, as at the start.</param>
internal sealed class DriverReload(OpenedDriver driver, ServiceManager manager, Func<LoadedSettings> load)
{
    /// <exception cref="OperationCanceledException">The driver is to end.</exception>
    public async Task RunAsync(CancellationToken ending)
    {
        manager.Reloading();
        try
        {
            await ApplyAsync(load(), ending);
        }
        catch (Exception e) when (e is SettingsException or CommandFailedException)
        {
            Log.Error("The settings stay as they are: {Reason:l}", e.Message);
        }

        manager.Ready(driver.Summary);
    }

    private async Task ApplyAsync(LoadedSettings wanted, CancellationToken ending)
    {
        var before = driver.Settings;
        var live = SettingKeys.TakeLive(before, wanted.Settings);
        var outcome = await driver.Driver.ReconfigureAsync(live, wanted.LinkUsers, ending);
        driver.Settings = outcome.Settings;

        var done = outcome.Done.ToList();
        // The driver has reported the changes of these keys item by item.
        done.AddRange(SettingKeys.Differences(outcome.Before ?? before, outcome.Settings).Select(static key => key.Name).Except(ItemKeys));
        if (driver.Level.MinimumLevel != wanted.Level)
            done.Add(HostConfiguration.LogLevel);

        // The more verbose of both levels applies to the log of this change, so that a change to a quieter level does not hide its own report.
        var isLouder = wanted.Level < driver.Level.MinimumLevel;
        if (isLouder)
            SetLevel(wanted);
        Log.Information("Settings read again: {Changes:l}", done.Count == 0 ? "nothing has changed" : string.Join(", ", done));
        foreach (var problem in outcome.Problems)
            Log.Warning("Not changed: {Reason:l}", problem);
        var waiting = SettingKeys.Differences(live, wanted.Settings).Select(static key => key.Name).Concat(driver.Start.Configuration.RuntimeDifferences(wanted.Configuration)).ToList();
        if (waiting.Count > 0)
            Log.Warning("These settings take effect at the next start: {Keys:l}", string.Join(", ", waiting));
        if (!isLouder)
            SetLevel(wanted);
    }

    /// <summary>Sets the log level. Actors read the level when they are made, so existing actors stay at theirs if it was quieter.</summary>
    private void SetLevel(LoadedSettings wanted)
    {
        driver.Level.MinimumLevel = wanted.Level;
        driver.Driver.System.EventStream.SetLogLevel(Logging.LogLevelFor(wanted.Configuration.Config.GetString(HostConfiguration.LogLevel)));
    }

    private static readonly string[] ItemKeys = ["tapwire.addresses", "tapwire.gateway", "tapwire.routes", "tapwire.interfaces", "tapwire.serve", "tapwire.socks.listen", "tapwire.forward", "tapwire.expose"];
}
