using System.CommandLine;
using System.Globalization;
using Serilog;
using Serilog.Events;
using Spectre.Console;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Host.Demo;
using Tapwire.Messages;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire demo</c>: shows, without privileges, that a file passes through all parts and arrives intact.</summary>
internal static class DemoCommand
{
    private static readonly TimeSpan Redraw = TimeSpan.FromMilliseconds(100);

    private static readonly Flag<long> Size = Flags.Size("--size", "How much is sent; 256MiB when not given.", 1, 1L << 40, 256 << 20);
    private static readonly Flag<int> Connections = Flags.Number("--connections", "Over how many connections at once; 1 when not given.", 1, 10_000, 1);
    private static readonly Flag<TimeSpan> Latency = Flags.Time("--latency", "How long a frame is under way, one way; 0 when not given.", TimeSpan.Zero, TimeSpan.FromMinutes(1), TimeSpan.Zero);
    private static readonly Flag<TimeSpan> Jitter = Flags.Time("--jitter", "Added to the latency at random, up to this; 0 when not given.", TimeSpan.Zero, TimeSpan.FromMinutes(1), TimeSpan.Zero);
    private static readonly Flag<long> Bandwidth = Flags.Value("--bandwidth", "Bits per second in each direction, as in 100M; unlimited when not given.", "RATE",
        Flags.TryParseRate, Flags.AcceptedRate, 0L);
    private static readonly Flag<double> Loss = Flags.Fraction("--loss", "Part of the frames that is lost, as in 0.01; 0 when not given.");
    private static readonly Flag<double> Reorder = Flags.Fraction("--reorder", "Part of the frames that is late; 0 when not given.");
    private static readonly Flag<double> Duplicate = Flags.Fraction("--duplicate", "Part of the frames that comes twice; 0 when not given.");
    private static readonly Flag<double> Corrupt = Flags.Fraction("--corrupt", "Part of the frames with a flipped bit; 0 when not given.");
    private static readonly Flag<ulong> Seed = Flags.Value("--seed", "Repeats a run's dice; 1 when not given.", "N",
        (string text, out ulong value) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value), "a number from 0 to 18446744073709551615", 1UL);

    public static Command Create()
    {
        var command = new ExampledCommand("demo", "Sends a file between two hosts on an in-memory cable and compares its SHA-256. Needs no privileges.",
            "tapwire demo",
            "tapwire demo --size 10MiB --latency 20ms --loss 0.01")
        {
            Size, Connections, Latency, Jitter, Bandwidth, Loss, Reorder, Duplicate, Corrupt, Seed,
        };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(new DemoOptions(parsed.Read(Size), parsed.Read(Connections), parsed.Read(Seed), new CableImpairments
        {
            Latency = parsed.Read(Latency),
            Jitter = parsed.Read(Jitter),
            BitsPerSecond = parsed.Read(Bandwidth),
            Loss = parsed.Read(Loss),
            Reorder = parsed.Read(Reorder),
            Duplicate = parsed.Read(Duplicate),
            Corrupt = parsed.Read(Corrupt),
        }), interrupt)));
        return command;
    }

    private static async Task<int> RunAsync(DemoOptions options, Interrupt interrupt)
    {
        // Corruption flips bits that a checksum covers, so a corrupted frame is a lost one: certain corruption lets nothing through, like certain loss.
        if (options.Impairments is { Loss: 1 } or { Corrupt: 1 })
            throw new SettingsException($"With {(options.Impairments.Loss == 1 ? "--loss" : "--corrupt")} 1 nothing can ever arrive; give less than 1.");
        Log.Logger = HostLog.Create(LogEventLevel.Warning, null);
        var run = new DemoRun(options);
        var result = await ShowAsync(run, options.Size, interrupt.Token);
        Report(options, result);
        return result.Intact
            ? ExitCode.Done
            : throw new CommandFailedException("The file did not arrive intact: this is a fault of Tapwire; please report it with the command line.");
    }

    private static async Task<DemoResult> ShowAsync(DemoRun run, long size, CancellationToken cancel)
    {
        if (Console.IsOutputRedirected)
            return await run.RunAsync(cancel);

        return await AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new DownloadedColumn(), new TransferSpeedColumn())
            .StartAsync(async progress =>
            {
                var bar = progress.AddTask("AF_UNIX → stack → cable → stack → AF_UNIX", maxValue: size);
                var task = run.RunAsync(cancel);
                while (await Task.WhenAny(task, Task.Delay(Redraw, CancellationToken.None)) != task)
                    bar.Value = run.Received;
                bar.Value = run.Received;
                return await task;
            });
    }

    private static void Report(DemoOptions options, DemoResult result)
    {
        var bitsPerSecond = options.Size * 8 / result.Elapsed.TotalSeconds;
        Console.WriteLine($"sent      {result.SentHash}");
        Console.WriteLine($"received  {result.ReceivedHash}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{(result.Intact ? "intact" : "DAMAGED")}: {ByteSize.Format(options.Size)} over {options.Connections} connection{(options.Connections == 1 ? "" : "s")} in {result.Elapsed.TotalSeconds:0.00} s, {bitsPerSecond / 1e9:0.00} Gbit/s"));
        Console.WriteLine();
        var table = new Table().Border(TableBorder.None).AddColumn("counter").AddColumn(new TableColumn("left").RightAligned())
            .AddColumn(new TableColumn("right").RightAligned());
        foreach (var name in result.Sender.Counters.Keys.Union(result.Receiver.Counters.Keys).Order(StringComparer.Ordinal))
            table.AddRow(name, Count(result.Sender, name), Count(result.Receiver, name));
        AddCable(table, "cable: frames sent", result, static counters => counters.Frames);
        AddCable(table, "cable: bytes sent", result, static counters => counters.Bytes);
        AddCable(table, "cable: lost", result, static counters => counters.Lost);
        AddCable(table, "cable: queue full", result, static counters => counters.QueueFull);
        AddCable(table, "cable: late", result, static counters => counters.Reordered);
        AddCable(table, "cable: duplicated", result, static counters => counters.Duplicated);
        AddCable(table, "cable: corrupted", result, static counters => counters.Corrupted);
        AnsiConsole.Write(table);
    }

    private static void AddCable(Table table, string name, DemoResult result, Func<CableCounters, long> value)
    {
        if (value(result.Forward) != 0 || value(result.Back) != 0)
            table.AddRow(name, value(result.Forward).ToString(CultureInfo.InvariantCulture), value(result.Back).ToString(CultureInfo.InvariantCulture));
    }

    private static string Count(StackStatus status, string name) =>
        status.Counters.TryGetValue(name, out var value) ? value.ToString(CultureInfo.InvariantCulture) : "0";
}
