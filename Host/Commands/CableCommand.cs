using Tapwire.Stack.Interfaces;
using System.CommandLine;
using System.Runtime.InteropServices;
using Serilog;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Messages;
using Tapwire.Wires;
using Tapwire.Wires.Capture;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire cable</c>: joins two real wires by the in-memory cable with its impairments, until Ctrl-C.</summary>
internal static class CableCommand
{
    // Room for an IEEE 802.1Q tag, because a device passes tagged frames of its MTU, too.
    private const int VlanTag = 4;

    // The bandwidth-delay product of 10 Gbit/s at 200 ms. Frames beyond it stay in the sending device's own queue.
    private const long InFlightBytes = 512L << 20;

    private static readonly Flag<WireSpec> A = Wire("--a", "The device at one end, as in tap:left or tun:left; made if it is not there.");

    private static readonly Flag<WireSpec> B = Wire("--b", "The device at the other end, of the same kind.");

    private static readonly Flag<int> Mtu = Flags.Number("--mtu", "Largest IP packet in bytes, set on both devices; theirs when not given.",
        InterfaceSettings.MinMtu, InterfaceSettings.MaxMtu, 0);

    private static readonly Flag<TimeSpan> For = Flags.Time("--duration", "Ends after this time; at Ctrl-C when not given.",
        TimeSpan.FromMilliseconds(1), TimeSpan.FromDays(20), Timeout.InfiniteTimeSpan);

    private static readonly Flag<TimeSpan> Interval = Flags.Time("--interval", "Prints the counters that often; only at the end and on SIGUSR1 when not given.",
        TimeSpan.FromMilliseconds(10), TimeSpan.FromDays(20), Timeout.InfiniteTimeSpan);

    private static readonly Flag<string?> Capture = Flags.File("--capture", "A file that gets the packets as pcapng, for Wireshark: inbound as they come from a device, before the cable, outbound as they go to the other one, behind it. None when not given.");

    private static readonly Flag<string?> Config = Flags.File("--config", "Settings that differ from akka.hocon.");

    public static Command Create()
    {
        var command = new ExampledCommand("cable", "Joins two devices by a cable that delays, limits, loses, reorders, duplicates and corrupts frames, until Ctrl-C. "
            + "A value holds for both directions; a-b:VALUE or b-a:VALUE for one.",
            "tapwire cable --a tap:left --b tap:right --latency 20ms --loss 1%",
            "tapwire cable --a tap:left --b tap:right --bandwidth a-b:100M --bandwidth b-a:10M",
            "tapwire cable --a tap:left --b tap:right --loss 1% --capture lost.pcapng")
        {
            A, B,
        };
        foreach (var option in CableFlags.Options)
            command.Add(option);
        foreach (var option in new Option[] { For, Interval, Mtu, Capture, Config, LogFlags.Level })
            command.Add(option);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var (configuration, level) = LogFlags.LoadSettings(parsed, parsed.Read(Config));
        var (a, b) = (parsed.Read(A), parsed.Read(B));
        if (a.Medium != b.Medium)
            throw new SettingsException($"{a} and {b} do not go together: a tap device carries Ethernet frames, a tun device IP packets.");
        if (a.Name == b.Name)
            throw new SettingsException($"--a and --b are the same device, {a.Name}: a cable needs two.");
        var options = CableFlags.Read(parsed);

        Log.Logger = HostLog.Create(level, null);
        using var interrupt = new Interrupt();

        await using var cable = await StartAsync(configuration, options, a, b, parsed.Read(Mtu), parsed.Read(Capture), interrupt);
        using var show = PosixSignalRegistration.Create(LinuxSignals.SIGUSR1, context =>
        {
            context.Cancel = true;
            _ = PrintAsync(cable);
        });
        Console.WriteLine($"tapwire cable is up: {a} to {b}, seed {options.Seed}");
        var code = await RunAsync(cable, interrupt, parsed.Read(For), parsed.Read(Interval));
        await PrintAsync(cable);
        return code;
    }

    /// <summary>Waits until the cable is to stop, and prints counters at each interval.</summary>
    private static async Task<int> RunAsync(RunningCable cable, Interrupt interrupt, TimeSpan duration, TimeSpan interval)
    {
        var expired = Task.Delay(duration);
        while (true)
        {
            var first = await Task.WhenAny(cable.Stopping, expired, Task.Delay(interval));
            if (first == cable.Stopping)
                return interrupt.ExitCode ?? throw new CommandFailedException("The cable has ended; the log says why.");
            if (first == expired)
                return ExitCode.Done;
            await PrintAsync(cable);
        }
    }

    private static async Task<RunningCable> StartAsync(HostConfiguration configuration, CableOptions options, WireSpec a, WireSpec b, int mtu, string? capture, Interrupt interrupt)
    {
        var deviceA = Open(a, mtu);
        IWire? deviceB = null;
        try
        {
            deviceB = Open(b, mtu);
            if (deviceA.Mtu != deviceB.Mtu)
                throw new CommandFailedException($"{a} has MTU {deviceA.Mtu}, {b} {deviceB.Mtu}: set both alike with --mtu {Math.Min(deviceA.Mtu, deviceB.Mtu)}.");
            options = options with
            {
                NameA = "cable-a",
                NameB = "cable-b",
                Medium = a.Medium,
                Mtu = Math.Min(deviceA.Mtu + (a.Medium == Medium.Ethernet ? VlanTag : 0), ushort.MaxValue),
                InFlightBytes = InFlightBytes,
            };
            mtu = deviceA.Mtu;
            return await RunningCable.StartAsync(configuration.Config, configuration.Settings.Tap, options, (deviceA, () => Open(a, mtu)), (deviceB, () => Open(b, mtu)),
                capture is null ? null : new StartCapture(new CaptureOptions(), CaptureFile.OpenStream(capture), capture), interrupt);
        }
        catch
        {
            deviceA.Dispose();
            deviceB?.Dispose();
            throw;
        }
    }

    /// <summary>Opens a wire without offload, so that frames on the cable have a wire's size: loss, queue limits and reordering then concern packets.</summary>
    private static IWire Open(WireSpec spec, int mtu) => spec.Open(new WireRequest { Mtu = mtu == 0 ? null : mtu, Offload = false });

    private static async Task PrintAsync(RunningCable cable) => Console.WriteLine(await cable.ReportAsync());

    private static Flag<WireSpec> Wire(string name, string description)
    {
        var option = Flags.Value<WireSpec>(name, description, "KIND:NAME",
            (string text, out WireSpec value) => (value = WireSpec.Parse(text)!) is not null, WireSpec.Accepted, null!);
        option.Required = true;
        return option;
    }
}
