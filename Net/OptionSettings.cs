using System.Globalization;
using System.Text;
using System.Text.Json;
using Akka.Configuration;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;

namespace Tapwire;

/// <summary>Turns <see cref="TapwireOptions"/> into the settings of a driver, by the same reader as the program's.</summary>
internal static class OptionSettings
{
    /// <exception cref="TapwireException">An option, or a setting, is wrong.</exception>
    public static (Config Config, DriverSettings Settings) Of(TapwireOptions options)
    {
        try
        {
            var own = options.ConfigurationFile is { } file ? SettingsSource.Read(file, file) : null;
            var text = Text(options);
            // Read once on its own: a mistake is then one of the options, with a line.
            var given = SettingsSource.Parse("TapwireOptions", text);
            var read = own is null
                ? HostConfiguration.Combine(given, HostConfiguration.Embedded)
                : HostConfiguration.Combine(own, HostConfiguration.Embedded, text);
            var settings = WirePlans.Complete(read.Settings);
            if (settings.Addresses.Count == 0 && !settings.AllInterfaces[0].ConfiguresItself)
                throw new SettingsException($"The wire {settings.Wire} has no address; give it one in TapwireOptions.Addresses, as in \"10.99.0.2/24\", or set TapwireOptions.Dhcp.");
            if (settings.Capture.File.Length > 0)
                throw new SettingsException("tapwire.capture.file is for the program tapwire; have the driver's link captured by 'tapwire capture'.");
            SettingsCheck.Check(settings);
            return (read.Config, settings);
        }
        catch (SettingsException e)
        {
            throw new TapwireException(e.Message, e);
        }
    }

    /// <summary>The actor system of the driver's own: it logs to nobody but the program, and ends only with the driver.</summary>
    public static Config OwnSystem(Config config, LogLevel level) => ConfigurationFactory.ParseString($$"""
        akka {
          loggers = []
          loglevel = {{NameOf(level)}}
          stdout-loglevel = OFF
          log-config-on-start = off
          coordinated-shutdown { exit-clr = off, run-by-clr-shutdown-hook = off }
        }
        """).WithFallback(config);

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.DebugLevel => "DEBUG",
        LogLevel.InfoLevel => "INFO",
        LogLevel.ErrorLevel => "ERROR",
        _ => "WARNING",
    };

    private static string Text(TapwireOptions options)
    {
        var text = new StringBuilder("tapwire {\n");
        if (options.Settings is { } settings)
            text.AppendLine(settings);
        Add("wire", options.Wire);
        AddList("addresses", options.Addresses);
        Add("gateway", options.Gateway);
        AddList("dns.servers", options.NameServers);
        if (options.Dhcp)
            text.AppendLine("dhcp = on");
        Add("link.path", options.LinkPath ?? "off");
        return text.Append("}\n").ToString();

        void Add(string key, string? value)
        {
            if (value is not null)
                text.AppendLine(CultureInfo.InvariantCulture, $"{key} = {Quoted(value)}");
        }

        void AddList(string key, IList<string> values)
        {
            if (values.Count > 0)
                text.AppendLine(CultureInfo.InvariantCulture, $"{key} = [{string.Join(", ", values.Select(Quoted))}]");
        }
    }

    private static string Quoted(string value) => $"\"{JsonEncodedText.Encode(value)}\"";
}

/// <summary>A driver cannot be started: the message says why, in one line.</summary>
public sealed class TapwireException : Exception
{
    /// <summary>An exception without a message.</summary>
    public TapwireException()
    {
    }

    /// <summary>An exception that says why.</summary>
    public TapwireException(string message)
        : base(message)
    {
    }

    /// <summary>An exception that says why, and what it comes from.</summary>
    public TapwireException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
