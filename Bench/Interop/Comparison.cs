using Tapwire.Tests.Live.Interop;

namespace Tapwire.Bench.Interop;

/// <summary>The table: for each path, direction and congestion control, what we and what the kernel get in the same minute.</summary>
internal sealed class Comparison(ImpairedPath path, Options options)
{
    private const string Shared = "shared";

    // The resets at the end arrive.
    private static readonly TimeSpan Rest = TimeSpan.FromMilliseconds(200);

    private static readonly (string Name, string Title, string Cable)[] Paths =
    [
        ("loss", "1 % loss, 20 ms", "--latency 10ms --loss 1%"),
        ("long", "0.1 % loss, 100 ms", "--latency 50ms --loss 0.1%"),
        ("shallow", "100 Mbit/s, 10 ms, queue of 20", "--latency 5ms --bandwidth 100mbit --queue 20"),
        ("reorder", "2 % loss, 10 % 2 ms late, 20 ms", "--latency 10ms --loss 2% --reorder 10% --reorder-delay 2ms"),
    ];

    public async Task RunAsync()
    {
        Console.WriteLine($"{"path",-34}{"ours is",-10}{"control",-8}{"ours",9}{"kernel",9}{"ratio",8}   rounds: ours | kernel");
        foreach (var congestion in options.Congestion)
        {
            path.StartDriver(SettingsFor(congestion));
            foreach (var (name, title, cable) in Paths.Where(entry => IsWanted(entry.Name)))
            {
                var flows = new Flows(path, options.Time);
                await CompareAsync(title, cable, "sender", congestion, flows.FromOursAsync, () => flows.FromKernelAsync(congestion));
                await CompareAsync(title, cable, "receiver", congestion, () => flows.ToOursAsync(congestion), () => flows.ToKernelAsync(congestion));
            }
        }

        if (IsWanted(Shared))
            await ShareAsync();
    }

    /// <summary>Of an even number, the mean of the two in the middle.</summary>
    private static double Median(List<double> values)
    {
        values = [.. values.Order()];
        return (values[(values.Count - 1) / 2] + values[values.Count / 2]) / 2;
    }

    /// <summary>1: both get the same; 0.5: one gets all (Jain, Chiu and Hawe, 1984).</summary>
    private static double Jain(double x, double y) => (x + y) * (x + y) / (2 * ((x * x) + (y * y)));

    /// <summary>Both in turn, round by round, so that what else the machine does meets both; and each on a new cable with the dice of that round.</summary>
    private async Task CompareAsync(string title, string cable, string role, string congestion, Func<Task<double>> ours, Func<Task<double>> kernels)
    {
        var (our, kernel) = (new List<double>(), new List<double>());
        for (var round = 0; round < options.Rounds; round++)
        {
            string[] impairments = [.. cable.Split(' '), "--seed", $"{round + 1}"];
            our.Add(await MeasureAsync(ours, impairments));
            kernel.Add(await MeasureAsync(kernels, impairments));
        }

        Console.WriteLine($"{title,-34}{role,-10}{congestion,-8}{Median(our),9:0.0}{Median(kernel),9:0.0}{Median(our) / Median(kernel),8:0.00}   "
            + $"{string.Join(' ', our.Select(rate => $"{rate:0.0}"))} | {string.Join(' ', kernel.Select(rate => $"{rate:0.0}"))}");
    }

    /// <summary>Two senders at a time on one bottleneck; the first third, in which they find each other, does not count.</summary>
    private async Task ShareAsync()
    {
        Console.WriteLine();
        Console.WriteLine($"{"two on 50 Mbit/s, 20 ms, queue of 100",-40}{"control",-8}{"Jain",6}{"first",9}{"second",9}   rounds");
        foreach (var congestion in options.Congestion)
        {
            path.StartDriver(SettingsFor(congestion));
            var flows = new Flows(path, options.Time * 2, options.Time);
            await PairAsync("ours and ours", congestion, flows.FromOursAsync, flows.FromOursAsync);
            await PairAsync("ours and the kernel's", congestion, flows.FromOursAsync, () => flows.FromKernelAsync(congestion));
            await PairAsync("the kernel's and the kernel's", congestion, () => flows.FromKernelAsync(congestion), () => flows.FromKernelAsync(congestion));
        }
    }

    private async Task PairAsync(string title, string congestion, Func<Task<double>> first, Func<Task<double>> second)
    {
        var pairs = new List<(double First, double Second)>();
        for (var round = 0; round < options.Rounds; round++)
        {
            var rates = await MeasureAsync(() => Task.WhenAll(first(), second()), "--latency", "10ms", "--bandwidth", "50mbit", "--queue", "100");
            pairs.Add((rates[0], rates[1]));
        }

        Console.WriteLine($"{title,-40}{congestion,-8}{Median([.. pairs.Select(pair => Jain(pair.First, pair.Second))]),6:0.00}"
            + $"{Median([.. pairs.Select(pair => pair.First)]),9:0.0}{Median([.. pairs.Select(pair => pair.Second)]),9:0.0}   "
            + string.Join(' ', pairs.Select(pair => $"{pair.First:0.0}+{pair.Second:0.0}")));
    }

    private async Task<T> MeasureAsync<T>(Func<Task<T>> measure, params string[] impairments)
    {
        path.Plug(impairments);
        var result = await measure();
        await Task.Delay(Rest);
        path.Unplug();
        return result;
    }

    private bool IsWanted(string name) => options.Paths.Count == 0 || options.Paths.Contains(name);

    /// <summary>Buffers larger than bandwidth times delay of every path, as the kernel's may grow to.</summary>
    private string SettingsFor(string congestion) => $$"""
        tapwire.tcp { send-buffer = 64MiB, receive-buffer = 64MiB, congestion-control = {{congestion}} }
        {{options.Settings}}
        """;
}
