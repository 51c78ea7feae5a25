using System.CommandLine;
using System.Diagnostics;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Tapwire.Actors;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Host.Status;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire up</c>: runs a driver on real wires until Ctrl-C.</summary>
internal static class UpCommand
{
    private static readonly Flag<int> Shards = Flags.Number("--shards", "Threads that share the work, each with a queue of the device; 1 when not given.",
        1, FlowSteering.MaxShards, 0);

    private static readonly Flag<string?> Link = Flags.Socket("--link", "The socket that applications use; off: none. A path of the user's own when not given.");

    internal static readonly Flag<string?> Config = Flags.File("--config", "Settings that differ from akka.hocon.");

    private static readonly Flag<IReadOnlyList<ServiceSpec>> Serve = Flags.List<ServiceSpec>(WireFlags.ServeName,
        "A service within the driver: echo, discard, source or http, and its port, as in echo:7; or dhcp, which gives the stations of the wire before it addresses, a way out and a name server; repeatable.", "NAME:PORT",
        (string text, out ServiceSpec value) => (value = ServiceSpec.ParseWord(text)!) is not null, ServiceSpec.AcceptedWord);

    private static readonly Flag<IReadOnlyList<SocksSpec>> Socks = Flags.List<SocksSpec>("--socks",
        "Where the host listens for SOCKS5 and HTTP CONNECT into Tapwire's network, as in 127.0.0.1:1080; repeatable. User and password are settings.",
        "ADDRESS:PORT", SocksSpec.TryParse, SocksSpec.Accepted);

    private static readonly Flag<IReadOnlyList<ForwardSpec>> Forward = Flags.List<ForwardSpec>("--forward",
        "A port of the host that leads into Tapwire's network, as in tcp:127.0.0.1:8080=10.99.0.1:80; repeatable.", "PORT=TARGET", ForwardSpec.TryParse, ForwardSpec.Accepted);

    private static readonly Flag<IReadOnlyList<ExposeSpec>> Expose = Flags.List<ExposeSpec>("--expose",
        "A port of the stack that leads to a service of the host, as in tcp:80=127.0.0.1:8080; repeatable.", "PORT=TARGET", ExposeSpec.TryParse, ExposeSpec.Accepted);

    private static readonly Flag<string?> HostName = Flags.Value<string?>("--name", "This host's name: NAME.local for others on the network (multicast DNS), and what DHCP servers may enter for it; none when not given.", "NAME",
        static (string text, out string? value) => PublishedName.TryParse(value = text, out _, out _), PublishedName.Accepted, null);

    private static readonly Flag<string?> StateDirectory = Flags.Value<string?>("--state-dir",
        "Where DHCP leases are kept between two starts, or off; $STATE_DIRECTORY or a directory of the user's own when not given.", "DIRECTORY",
        static (string text, out string? value) => (value = text).Length > 0 && DhcpSettings.IsDirectory(text), "the path of a directory from / on, or off", null);

    private static readonly Flag<string?> Capture = Flags.File("--capture", "A file that gets the packets of all interfaces as pcapng, for Wireshark; -: standard output. None when not given.");

    private static readonly Flag<string?> HttpToken = Flags.File("--http-token", "The file with the token that the http service's live page asks operators for; made with a new one where it is not there. None when not given: nobody sees more than everybody.");

    private static readonly Flag<System.Net.IPEndPoint?> Metrics = Flags.Value<System.Net.IPEndPoint?>("--metrics", "Where Prometheus finds the driver's figures on the host, as in 127.0.0.1:9464; none when not given.",
        "ADDRESS:PORT", MetricsSettings.TryParseListen, MetricsSettings.AcceptedListen, null);

    private static readonly Flag<string?> Otlp = Flags.Value<string?>("--otlp", "The OpenTelemetry collector that gets the driver's figures over HTTP, as in http://127.0.0.1:4318/v1/metrics; none when not given.", "URL",
        static (string text, out string? value) => MetricsSettings.IsOtlp(value = text), MetricsSettings.AcceptedOtlp, null);

    private static readonly Flag<IReadOnlyList<DnsSpec>> Dns = Flags.List<DnsSpec>("--dns",
        "A name server, which is asked by way of the stack, as in 10.99.0.1; DOMAIN=ADDRESS: one for the names in a domain; repeatable.", "ADDRESS", DnsSpec.TryParse, DnsSpec.Accepted);

    /// <summary>The options of every command that starts a driver, the most used first.</summary>
    public static readonly IReadOnlyList<Option> DriverOptions = [.. WireFlags.Main, Config, .. WireFlags.Further, Shards, Capture, Metrics, Otlp, LogFlags.Level, LogFlags.Format, LogFlags.File];

    public static Command Create()
    {
        var command = new ExampledCommand("up", "Runs the driver on a device, until Ctrl-C.",
            "tapwire up --address 10.99.0.2/24 --peer-address 10.99.0.1/24 --serve http:80",
            "tapwire up --wire tap:tw0 --address 10.99.0.2/24 --gateway 10.99.0.1 --socks 1080",
            "tapwire up --wire tap:tw0 --dhcp --name box --serve http:80",
            "tapwire up --wire tap:tw0 --address 10.99.0.2/24 --wire tun:tw1 --address 10.98.0.2/24",
            "tapwire up --config /etc/tapwire/tapwire.hocon --log-file /var/log/tapwire.log");
        Option[] first = [.. WireFlags.Main, Link, Serve, HttpToken, Socks, Forward, Expose, Dns, HostName, StateDirectory];
        foreach (var option in first.Concat(DriverOptions.Except(first)))
            command.Options.Add(option);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    /// <summary>True when the command line describes a driver.</summary>
    public static bool NamesDriver(ParseResult parsed) =>
        WireFlags.AreGiven(parsed) || parsed.Read(Config) is not null;

    /// <summary>Starts the driver that the command line describes. Its log stays open until the program ends.</summary>
    /// <param name="link">The link's path, which overrides all settings; or null.</param>
    /// <param name="level">The log level if the command line gives none; null: the settings' level.</param>
    /// <param name="interrupt">Asks the driver to stop; null if only the caller does.</param>
    /// <param name="operate">What it does when an operator asks over the link; null: it refuses.</param>
    public static async Task<OpenedDriver> OpenAsync(ParseResult parsed, string? link, LogEventLevel? level, Interrupt? interrupt = null, Action<DriverOperation>? operate = null)
    {
        if (MemoryShares.OfProcess.Problem is { } problem)
            throw new CommandFailedException(problem);
        var loaded = LoadedSettings.Load(parsed, link, level);
        var (configuration, settings) = (loaded.Configuration, loaded.Settings);
        var file = parsed.Read(LogFlags.File);
        if (file is not null)
            LogFlags.CheckFile(file);
        var logged = new LoggingLevelSwitch(loaded.Level);
        Log.Logger = HostLog.Create(logged, file, parsed.Read(LogFlags.Format));
        var pool = new BufferPool(MemoryShares.OfProcess.Pool());
        var wires = new List<IReadOnlyList<IWire>>();
        LinkListener? listener = null;
        IReadOnlyList<HostPort> ports = [];
        StartCapture? capture;
        PageToken? token;
        try
        {
            foreach (var each in settings.AllInterfaces)
                wires.Add(RunningDriver.OpenAll(settings.Shards, () => settings.OpenWire(each)));
            listener = OpenLink(settings.Link, loaded.LinkUsers, mayBePassed: link is null);
            ports = HostPort.Open(settings);
            token = PageTokenFile.Open(settings.Http);
            capture = CaptureFile.Open(settings.Capture);
        }
        catch
        {
            listener?.Dispose();
            foreach (var port in ports)
                port.Dispose();
            foreach (var wire in wires.SelectMany(static queues => queues))
                wire.Dispose();
            throw;
        }

        var driver = await RunningDriver.StartAsync("tapwire", configuration.Config, settings, wires, each => settings.OpenWire(each), listener, pool, hostPorts: ports,
            interrupt: interrupt, capture: capture, operate: operate, pageToken: token);
        try
        {
            return new OpenedDriver(driver, loaded, logged, listener?.Path, new DriverMetrics(driver.Figures, TimeProvider.System), settings.Metrics.IsOff ? null : MetricsExport.Start(settings.Metrics));
        }
        catch
        {
            await driver.DisposeAsync();
            throw;
        }
    }

    /// <summary>Opens the link: the socket that a service manager has passed, or a new one, or none.</summary>
    private static LinkListener? OpenLink(LinkSettings settings, IReadOnlyCollection<uint> users, bool mayBePassed)
    {
        if (mayBePassed && LinkListener.Adopt(settings.Path, users) is { } passed)
            return passed;
        return settings.IsOff ? null : LinkListener.Listen(settings.Path.Length > 0 ? settings.Path : LinkEndpointPath.Default, users);
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var manager = ServiceManager.Take();
        // Registered before the driver starts, because a signal during the start would otherwise kill the process and leave the device and socket behind.
        using var signals = new DriverSignals();
        using var interrupt = new Interrupt(() => signals.Add(DriverRequests.Reload));
        await using var opened = await OpenAsync(parsed, null, null, interrupt, operation =>
        {
            if (operation == DriverOperation.Reload)
                signals.Add(DriverRequests.Reload);
            else
                _ = Task.Run(interrupt.Stop);
        });
        var driver = opened.Driver;
        // Standard output may be the capture's.
        if (opened.Settings.Capture.File == CaptureSettings.StandardOutput)
            Console.SetOut(Console.Error);
        Console.WriteLine($"tapwire is up: {opened.Summary}");
        manager.Ready(opened.Summary);
        using var ending = new CancellationTokenSource();
        var reload = new DriverReload(opened, manager, () => LoadedSettings.Load(parsed));
        var attending = Task.WhenAll(AttendAsync(opened, reload, signals, ending.Token), manager.KeepAliveAsync(driver.AnswersAsync, ending.Token));
        await driver.WaitForShutdownAsync();
        manager.Stopping();
        await ending.CancelAsync();
        await attending;
        if (interrupt.ExitCode is not { } code)
            throw new CommandFailedException("The driver has ended; the log says why.");
        await driver.StopAsync();
        return code;
    }

    /// <summary>Handles the requests of signals one at a time, until the driver is to end.</summary>
    private static async Task AttendAsync(OpenedDriver opened, DriverReload reload, DriverSignals signals, CancellationToken ending)
    {
        try
        {
            while (true)
            {
                var asked = await signals.TakeAsync(ending);
                if (asked.HasFlag(DriverRequests.Reload))
                    await reload.RunAsync(ending);
                if (asked.HasFlag(DriverRequests.Show))
                    await ShowAsync(opened.Driver, ending);
            }
        }
        catch (OperationCanceledException)
        {
            // The driver is to end.
        }
    }

    /// <summary>Prints the driver's counters. A failure to get or print them does not end the driver.</summary>
    private static async Task ShowAsync(RunningDriver driver, CancellationToken ending)
    {
        try
        {
            StatusText.Print(StatusJson.Write(await driver.StatusAsync(ending)));
        }
        catch (Exception e) when (e is CommandFailedException or IOException)
        {
            Log.Warning("The counters cannot be shown: {Reason}", e.Message);
        }
    }

    /// <summary>The settings, overridden by the command line.</summary>
    public static DriverSettings Merge(DriverSettings settings, ParseResult parsed)
    {
        settings = WireFlags.Merge(settings, parsed);
        if (parsed.Read(Shards) is > 0 and var shards)
            settings = settings with { Shards = shards };
        if (parsed.Read(Link) is { } link)
            settings = settings with { Link = settings.Link with { Path = link } };
        if (parsed.Read(Serve).Where(static service => service.Name != ServiceSpec.Dhcp).ToList() is { Count: > 0 } serve)
            settings = settings with { Serve = serve };
        if (parsed.Read(Socks) is { Count: > 0 } socks)
            settings = settings with { Socks = settings.Socks with { Listen = socks } };
        if (parsed.Read(Forward) is { Count: > 0 } forward)
            settings = settings with { Forward = forward };
        if (parsed.Read(Expose) is { Count: > 0 } expose)
            settings = settings with { Expose = expose };
        if (parsed.Read(Capture) is { } capture)
            settings = settings with { Capture = settings.Capture with { File = capture } };
        if (parsed.Read(HttpToken) is { } token)
            settings = settings with { Http = settings.Http with { TokenFile = token } };
        if (parsed.Read(Metrics) is { } metrics)
            settings = settings with { Metrics = settings.Metrics with { Listen = metrics } };
        if (parsed.Read(Otlp) is { } otlp)
            settings = settings with { Metrics = settings.Metrics with { Otlp = otlp } };
        if (parsed.Read(Dns) is { Count: > 0 } dns)
            settings = settings with { Dns = settings.Dns.With(dns) };
        if (parsed.Read(HostName) is { } name)
            settings = settings with { Name = name, DhcpClient = settings.DhcpClient with { HostName = "" } };
        if (parsed.Read(StateDirectory) is { } state)
            settings = settings with { DhcpClient = settings.DhcpClient with { StateDirectory = state } };
        return settings;
    }
}

/// <summary>A driver started from a command line. Disposing stops it.</summary>
/// <param name="Start">The settings at the start.</param>
/// <param name="Level">The log level.</param>
/// <param name="Link">The link's path; null without a link.</param>
/// <param name="Metrics">For whoever listens within the process.</param>
/// <param name="Export">Null: nobody else gets its figures.</param>
internal sealed record OpenedDriver(RunningDriver Driver, LoadedSettings Start, LoggingLevelSwitch Level, string? Link, DriverMetrics Metrics, IDisposable? Export) : IAsyncDisposable
{
    private static readonly TimeSpan LeasePatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LeasePause = TimeSpan.FromMilliseconds(50);

    /// <summary>The current settings.</summary>
    public DriverSettings Settings { get; set; } = Start.Settings;

    /// <summary>A description of the driver on one line.</summary>
    public string Summary => Settings.InterfaceSummary
        + (Link is null ? "" : $", link {Link}")
        + (Settings.Serve.Count == 0 ? "" : $", serving {string.Join(", ", Settings.Serve)}")
        + string.Concat(Settings.Socks.Listen.Select(spec => $", socks {spec}"))
        + string.Concat(Settings.Forward.Select(spec => $", forward {spec}"))
        + string.Concat(Settings.Expose.Select(spec => $", expose {spec}"));

    /// <summary>Waits until each interface that a DHCP server gives its address has one, of either family: a program that is started sooner finds no network. Nobody waits for DHCPv6 alone where routers
    /// may give addresses without it.</summary>
    /// <exception cref="CommandFailedException">No server has given one in time.</exception>
    public async Task AwaitLeasesAsync()
    {
        var awaited = Settings.AllInterfaces.Where(static each => each.Dhcp != DhcpFamilies.None && (each.Dhcp.HasFlag(DhcpFamilies.V4) || each.Slaac == SlaacMode.Off)).Select(static each => each.Name).ToHashSet();
        var began = Stopwatch.GetTimestamp();
        while (awaited.Count > 0 && (await Driver.StatusAsync()).Interfaces.FirstOrDefault(each => awaited.Contains(each.Name) && IsWaiting(each)) is { } waiting)
        {
            if (Stopwatch.GetElapsedTime(began) > LeasePatience)
                throw new CommandFailedException($"No DHCP server has given {waiting.Name} an address in {LeasePatience.TotalSeconds:F0} s; see whether there is one on that network, or give an address with --address.");
            await Task.Delay(LeasePause);
        }
    }

    private static bool IsWaiting(InterfaceStatus status) => status.Lease is not { IsApplied: true } && status.Lease6 is not { IsApplied: true };

    public ValueTask DisposeAsync()
    {
        Export?.Dispose();
        Metrics.Dispose();
        return Driver.DisposeAsync();
    }
}
