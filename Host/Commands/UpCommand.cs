using System.CommandLine;
using Serilog;
using Serilog.Events;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Host.Configuration;
using Tapwire.Links;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Link;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire up</c>: the driver on a real wire, until Ctrl-C.</summary>
internal static class UpCommand
{
    private static readonly Option<WireSpec?> Wire = Flags.Value<WireSpec?>("--wire", "The network side.", "tap:NAME",
        (string text, out WireSpec? value) => (value = WireSpec.Parse(text)) is not null, WireSpec.Accepted, null);

    private static readonly Option<IReadOnlyList<IpPrefix>> Addresses = Flags.List<IpPrefix>("--address", "An address of the stack; repeatable.", "CIDR",
        (string text, out IpPrefix value) => IpPrefix.TryParse(text, null, out value), "ADDRESS/LENGTH, as in 10.99.0.2/24");

    private static readonly Option<IpAddress?> Gateway = Flags.Value<IpAddress?>("--gateway", "Where packets to other networks go.", "IP",
        (string text, out IpAddress? value) =>
        {
            value = IpAddress.TryParse(text, out var address) ? address : null;
            return value is not null;
        }, "an IP address", null);

    private static readonly Option<MacAddress?> Mac = Flags.Value<MacAddress?>("--mac", "The stack's Ethernet address.", "MAC",
        (string text, out MacAddress? value) =>
        {
            value = MacAddress.TryParse(text, null, out var mac) && !mac.IsGroup ? mac : null;
            return value is not null;
        }, "a unicast address, as in 02:00:5e:10:00:01", null);

    private static readonly Option<int> Mtu = Flags.Number("--mtu", "Largest IP packet in bytes; the wire's when not given.", 68, 65535, 0);

    private static readonly Option<int> Shards = Flags.Number("--shards", "Threads that share the work, each with a queue of the wire.", 1, FlowSteering.MaxShards, 0);

    private static readonly Option<string?> Link = new("--link") { Description = "The socket that applications use; \"off\" for none.", HelpName = "PATH" };

    private static readonly Option<string?> Config = new("--config") { Description = "Settings that differ from akka.hocon.", HelpName = "FILE" };

    private static readonly Option<IReadOnlyList<ServiceSpec>> Serve = Flags.List<ServiceSpec>("--serve", "Services within the driver.", "NAME:PORT,...",
        (string text, out ServiceSpec value) => (value = ServiceSpec.Parse(text)!) is not null, ServiceSpec.Accepted);

    private static readonly Option<IReadOnlyList<SocksSpec>> Socks = Flags.List<SocksSpec>("--socks",
        "A SOCKS5 and HTTP CONNECT proxy into Tapwire's network; user and password are settings.", "ADDRESS:PORT", SocksSpec.TryParse, SocksSpec.Accepted);

    private static readonly Option<IReadOnlyList<ForwardSpec>> Forward = Flags.List<ForwardSpec>("--forward",
        "A port of the host that leads into Tapwire's network; repeatable.", "tcp:ADDRESS:PORT=HOST:PORT", ForwardSpec.TryParse, ForwardSpec.Accepted);

    private static readonly Option<IReadOnlyList<ExposeSpec>> Expose = Flags.List<ExposeSpec>("--expose",
        "A port of the stack that leads to a service of the host; repeatable.", "tcp:PORT=HOST:PORT", ExposeSpec.TryParse, ExposeSpec.Accepted);

    private static readonly Option<LogEventLevel?> Level = new("--log-level") { Description = "What is logged, instead of what akka.loglevel says." };

    private static readonly Option<string?> LogFile = new("--log-file") { Description = "Log to this file, too.", HelpName = "FILE" };

    /// <summary>What a driver takes, whatever it runs for.</summary>
    public static readonly IReadOnlyList<Option> DriverOptions = [Wire, Addresses, Gateway, Mac, Mtu, Shards, Config, Level, LogFile];

    public static Command Create()
    {
        var command = new Command("up", "Runs the driver on a wire, until Ctrl-C.") { Link, Serve, Socks, Forward, Expose };
        foreach (var option in DriverOptions)
            command.Options.Add(option);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    /// <summary>The command line says that there is to be a driver.</summary>
    public static bool NamesDriver(ParseResult parsed) =>
        parsed.GetValue(Wire) is not null || parsed.GetValue(Addresses) is { Count: > 0 } || parsed.GetValue(Config) is not null;

    /// <summary>Starts the driver that the command line describes. Its log ends with the program.</summary>
    /// <param name="link">Where applications connect, whatever is said elsewhere; or null.</param>
    /// <param name="level">What is logged when neither command line nor settings are asked.</param>
    /// <param name="interrupt">What asks the driver to stop; null if the caller alone does.</param>
    public static async Task<OpenedDriver> OpenAsync(ParseResult parsed, string? link, LogEventLevel? level, Interrupt? interrupt = null)
    {
        var asked = parsed.GetValue(Level) ?? level;
        var configuration = HostConfiguration.Load(parsed.GetValue(Config), asked is { } given ? $"akka.loglevel = {HostLog.AkkaLevel(given)}" : "");
        var logged = asked ?? HostLog.SerilogLevel(configuration.Config.GetString("akka.loglevel"));
        var settings = Merge(configuration.Settings, parsed);
        if (link is not null)
            settings = settings with { Link = settings.Link with { Path = link } };
        if (settings.Addresses.Count == 0)
            throw new SettingsException("The stack has no address; give one with --address, as in --address 10.99.0.2/24, or in tapwire.addresses.");

        Log.Logger = HostLog.Create(logged, parsed.GetValue(LogFile));
        var pool = new BufferPool();
        IWire Open() => OpenWire(settings);
        var wires = new List<IWire>();
        LinkListener? listener = null;
        IReadOnlyList<HostPort> ports;
        try
        {
            while (wires.Count < settings.Shards)
                wires.Add(Open());
            listener = settings.Link.IsOff ? null : LinkListener.Listen(
                settings.Link.Path.Length > 0 ? settings.Link.Path : LinkEndpointPath.Default, UserNames.Resolve(settings.Link.Users));
            ports = HostPort.Open(settings);
        }
        catch
        {
            listener?.Dispose();
            foreach (var wire in wires)
                wire.Dispose();
            throw;
        }

        var driver = await RunningDriver.StartAsync("tapwire", configuration.Config, settings, wires, Open, listener, pool, hostPorts: ports,
            interrupt: interrupt);
        return new OpenedDriver(driver, settings, listener?.Path, ports);
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        await using var opened = await OpenAsync(parsed, null, null, interrupt);
        var (driver, settings) = (opened.Driver, opened.Settings);
        Console.WriteLine($"tapwire is up: {string.Join(", ", settings.Addresses)} on {settings.Wire}"
            + (opened.Link is null ? "" : $", link {opened.Link}")
            + (settings.Serve.Count == 0 ? "" : $", serving {string.Join(", ", settings.Serve)}")
            + string.Concat(opened.Ports.Select(port => $", {port.Name}"))
            + string.Concat(settings.Expose.Select(spec => $", expose {spec}")));
        await driver.WaitForShutdownAsync();
        if (interrupt.ExitCode is not { } code)
            throw new CommandFailedException("The driver has ended; the log says why.");
        await driver.StopAsync();
        return code;
    }

    private static DriverSettings Merge(DriverSettings settings, ParseResult parsed)
    {
        if (parsed.GetValue(Wire) is { } wire)
            settings = settings with { Wire = wire };
        if (parsed.GetValue(Addresses) is { Count: > 0 } addresses)
            settings = settings with { Addresses = addresses };
        if (parsed.GetValue(Gateway) is { } gateway)
            settings = settings with { Gateway = gateway };
        if (parsed.GetValue(Mac) is { } mac)
            settings = settings with { HardwareAddress = mac };
        if (parsed.GetValue(Mtu) is > 0 and var mtu)
            settings = settings with { Mtu = mtu };
        if (parsed.GetValue(Shards) is > 0 and var shards)
            settings = settings with { Shards = shards };
        if (parsed.GetValue(Link) is { } link)
            settings = settings with { Link = settings.Link with { Path = link } };
        if (parsed.GetValue(Serve) is { Count: > 0 } serve)
            settings = settings with { Serve = serve };
        if (parsed.GetValue(Socks) is { Count: > 0 } socks)
            settings = settings with { Socks = settings.Socks with { Listen = socks } };
        if (parsed.GetValue(Forward) is { Count: > 0 } forward)
            settings = settings with { Forward = forward };
        if (parsed.GetValue(Expose) is { Count: > 0 } expose)
            settings = settings with { Expose = expose };
        settings.Socks.Check();
        var twice = settings.Serve.GroupBy(service => service.Port).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            throw new SettingsException($"Two services on port {twice.Key}: {string.Join(", ", twice)}.");
        foreach (var spec in settings.Expose)
        {
            if (spec.Transport == Transport.Tcp && settings.Serve.FirstOrDefault(service => service.Port == spec.Listen.Port) is { } service)
                throw new SettingsException($"The service {service} and the exposed port {spec} have the same port.");
        }

        return settings;
    }

    private static TapWire OpenWire(DriverSettings settings)
    {
        var options = new TapWireOptions
        {
            Name = settings.Wire.Name,
            Medium = settings.Wire.Medium,
            MultiQueue = settings.Shards > 1,
            Mtu = settings.Mtu == 0 ? null : settings.Mtu,
            HardwareAddress = settings.HardwareAddress,
        };
        return TapWire.Open(settings.Tap.Offload ? options : options with { Offloads = WireOffloads.None });
    }
}

/// <summary>A driver that has been started from a command line. Disposing stops it and ends the log.</summary>
/// <param name="Link">Where applications connect; null if nowhere.</param>
/// <param name="Ports">What listens on the host.</param>
internal sealed record OpenedDriver(RunningDriver Driver, DriverSettings Settings, string? Link, IReadOnlyList<HostPort> Ports) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        await Driver.DisposeAsync();
        await Log.CloseAndFlushAsync();
    }
}
