using System.Globalization;
using System.Text;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>How much of a path one flow gets, by loss, round trip and buffer, as it was last approved, beside what theory allows.</summary>
public class GoodputSpec(ITestOutputHelper output)
{
    private const double Bandwidth = 50e6;
    private const int SegmentSize = 1448;
    private const int Seeds = 2;

    /// <summary>A figure may differ from the approved one by so much of it, or by so many Mbit/s, whichever is more.</summary>
    private const double Tolerance = 0.1;
    private const double AbsoluteTolerance = 0.05;

    private static readonly double[] Losses = [0, 0.001, 0.01, 0.03, 0.1];
    private static readonly int[] RoundTrips = [2, 20, 100];
    private static readonly int[] Buffers = [64, 1024, 8192];

    /// <summary>Each with what it does in theory at a loss rate and a round trip, in segments per round trip.</summary>
    private static readonly (CongestionAlgorithm Algorithm, Func<double, double, double> Response)[] Controls =
    [
        // Mathis, Semke, Mahdavi and Ott 1997.
        (CongestionAlgorithm.NewReno, Mathis),

        // RFC 9438, 5.1, with C of 0.4 and beta of 0.7; where it would be slower than Reno, it is as fast (4.3).
        (CongestionAlgorithm.Cubic, (loss, roundTrip) => Math.Max(Mathis(loss, roundTrip), 1.054 * Math.Pow(roundTrip / loss, 0.75))),

        // It does not take random loss for congestion.
        (CongestionAlgorithm.Bbr, (_, _) => double.PositiveInfinity),
    ];

    private static readonly string Header = $"""
        # Goodput of one flow in Mbit/s over a simulated path of {Bandwidth / 1e6:F0} Mbit/s with a queue of 256 packets, {Seeds} seeds averaged.
        # Bound: the least of the bandwidth, the buffer per round trip, and the congestion control's response to random loss in the long run; the
        # runs are short, and more than that is what remains of the start.
        # GoodputSpec accepts {Tolerance:P0} or {AbsoluteTolerance} Mbit/s of difference, whichever is more. To approve new figures:
        #   TAPWIRE_APPROVE=1 dotnet test Tests --filter FullyQualifiedName~GoodputSpec
        # and give the reason in the commit.
        # control loss/% rtt/ms buffer/KiB goodput bound share
        """;

    [Fact]
    public void Goodput_is_as_approved()
    {
        var cells = Measure();
        var table = Format(cells);
        output.WriteLine(table);
        var file = Path.Combine(SourceFolder(), "Goodput.approved.txt");
        if (Environment.GetEnvironmentVariable("TAPWIRE_APPROVE") == "1")
            File.WriteAllText(file, table);
        var approved = File.ReadLines(file).Where(line => line.Length > 0 && line[0] != '#').Select(Words).ToDictionary(
            words => string.Join(' ', words[..4]), words => double.Parse(words[4], CultureInfo.InvariantCulture));
        var differences = cells.Where(cell => !IsNear(cell.Goodput, approved.GetValueOrDefault(cell.Key))).ToList();
        Assert.True(
            differences.Count == 0 && approved.Count == cells.Count,
            $"Not as approved:\n{string.Join('\n', differences.Select(cell => $"{cell.Key}: {cell.Goodput:F2}, approved {approved.GetValueOrDefault(cell.Key):F2}"))}\n"
            + $"The new table:\n{table}");
    }

    private static List<Cell> Measure()
    {
        var cells = new List<Cell>();
        foreach (var (algorithm, response) in Controls)
        {
            foreach (var loss in Losses)
            {
                foreach (var roundTrip in RoundTrips)
                {
                    foreach (var buffer in Buffers)
                    {
                        var options = new TcpOptions { CongestionControl = algorithm, ReceiveBuffer = buffer << 10, SendBuffer = buffer << 10 };
                        var goodput = Enumerable.Range(1, loss == 0 ? 1 : Seeds).Average(seed => Measure(seed, loss, roundTrip, options));
                        cells.Add(new Cell(algorithm, loss, roundTrip, buffer, goodput / 1e6, Bound(loss, roundTrip / 1e3, buffer << 10, response) / 1e6));
                    }
                }
            }
        }

        return cells;
    }

    private static double Measure(int seed, double loss, int roundTrip, TcpOptions options)
    {
        var there = new Impairments { Latency = TimeSpan.FromMilliseconds(roundTrip / 2.0), Bandwidth = Bandwidth, QueueLimit = 256, Loss = loss };
        var world = new SimWorld(seed, there, there with { Loss = 0 }, options, options, new PoisoningBufferPool());
        var transfer = new SimTransfer(world);
        transfer.Start();
        // The start is another matter. Much is measured only where a round trip holds much.
        var bytes = Math.Max(3_000_000, (long)(12 * Bandwidth / 8 * roundTrip / 1e3));
        transfer.Measure(TimeSpan.FromMilliseconds(30 * roundTrip), bytes);
        var goodput = transfer.Measure(TimeSpan.FromSeconds(20), bytes)[0];
        transfer.End();
        return goodput;
    }

    private static double Bound(double loss, double roundTrip, int buffer, Func<double, double, double> response)
    {
        var bound = Math.Min(Bandwidth * SegmentSize / 1500, buffer * 8 / roundTrip);
        return loss == 0 ? bound : Math.Min(bound * (1 - loss), response(loss, roundTrip) * SegmentSize * 8 / roundTrip);
    }

    private static double Mathis(double loss, double roundTrip) => Math.Sqrt(1.5 / loss);

    private static bool IsNear(double actual, double approved) =>
        Math.Abs(actual - approved) <= Math.Max(AbsoluteTolerance, Tolerance * approved);

    private static string Format(List<Cell> cells)
    {
        var text = new StringBuilder().AppendLine(Header);
        foreach (var cell in cells)
            text.AppendLine(CultureInfo.InvariantCulture, $"{cell.Key} {cell.Goodput:F2} {cell.Bound:F2} {100 * cell.Goodput / cell.Bound:F0}%");
        return text.ToString();
    }

    private static string[] Words(string line) => line.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    private static string SourceFolder()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Tapwire.slnx")))
            folder = folder.Parent ?? throw new DirectoryNotFoundException("The sources are not above the tests.");
        return Path.Combine(folder.FullName, "Tests", "Stack", "Tcp");
    }

    private readonly record struct Cell(CongestionAlgorithm Control, double Loss, int RoundTrip, int Buffer, double Goodput, double Bound)
    {
        public string Key => string.Create(CultureInfo.InvariantCulture, $"{Control} {100 * Loss:0.#} {RoundTrip} {Buffer}");
    }
}
