using System.Text.Json;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Tapwire.Host.Status;

/// <summary><c>tapwire status --watch</c> on a terminal: what the driver does now, in one window.</summary>
internal sealed class StatusScreen(IAnsiConsole console)
{
    private const string Bars = "▁▂▃▄▅▆▇█";

    /// <summary>Lines below the throughput beside the sockets: the table's header and the keys.</summary>
    private const int OtherLines = 2;

    private int _first;
    private int _shown = 1;
    private int _count;

    /// <summary>Shows the driver until the user ends it.</summary>
    /// <param name="look">Asks the driver for its status and its sockets in order.</param>
    public async Task RunAsync(StatusRates rates, Func<Task<(JsonDocument Status, List<SocketRow> Rows)>> look, CancellationToken cancel)
    {
        await console.Live(new Text("")).AutoClear(true).StartAsync(async live =>
        {
            while (true)
            {
                var (status, rows) = await look();
                using (status)
                {
                    if (await ShowAsync(live, status.RootElement, rows, rates, cancel))
                        return;
                }
            }
        });
    }

    /// <summary>Draws a status, for a second.</summary>
    /// <returns>True: the user wants no more.</returns>
    private async Task<bool> ShowAsync(LiveDisplayContext live, JsonElement status, List<SocketRow> rows, StatusRates rates, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        live.UpdateTarget(Picture(status, rows, rates));
        for (var step = 0; step < 20; step++)
        {
            await timer.WaitForNextTickAsync(cancel);
            var isMoved = false;
            while (!Console.IsInputRedirected && Console.KeyAvailable)
            {
                if (Turn(Console.ReadKey(intercept: true)))
                    return true;
                isMoved = true;
            }

            if (isMoved)
                live.UpdateTarget(Picture(status, rows, rates));
        }

        return false;
    }

    /// <returns>True: the end is wanted.</returns>
    internal bool Turn(ConsoleKeyInfo key)
    {
        _first = key.Key switch
        {
            ConsoleKey.DownArrow => _first + 1,
            ConsoleKey.UpArrow => _first - 1,
            ConsoleKey.PageDown or ConsoleKey.Spacebar => _first + _shown,
            ConsoleKey.PageUp => _first - _shown,
            ConsoleKey.Home => 0,
            ConsoleKey.End => _count,
            _ => _first,
        };
        return key.Key is ConsoleKey.Q or ConsoleKey.Escape;
    }

    /// <summary>The whole window.</summary>
    internal IRenderable Picture(JsonElement status, IReadOnlyList<SocketRow> rows, StatusRates rates)
    {
        var (width, height) = (console.Profile.Width, console.Profile.Height);
        var lines = new List<(string Text, Style Style)>
        {
            (string.Join("; ", $"up {TimeSpan.FromSeconds(status.GetProperty("uptimeSeconds").GetDouble()):d\\.hh\\:mm\\:ss}", $"{status.GetProperty("link").GetProperty("sessions")} sessions",
                $"{rows.Count} sockets"), new Style(decoration: Decoration.Bold)),
        };
        if (status.TryGetProperty("interfaces", out var interfaces))
        {
            foreach (var each in interfaces.EnumerateArray().Take(Math.Max(1, height / 4)))
                lines.Add(WireLine(each));
        }

        foreach (var problem in StatusText.ProblemsOf(status).Take(Math.Max(1, height / 6)))
            lines.Add((problem, new Style(Color.Red)));
        lines.Add(($"in   {Sparkline(rates.In, width)}", new Style(Color.Green)));
        lines.Add(($"out  {Sparkline(rates.Out, width)}", new Style(Color.Blue)));
        lines.Add(("", Style.Plain));
        _count = rows.Count;
        _shown = Math.Max(1, height - lines.Count - OtherLines);
        _first = Math.Clamp(_first, 0, Math.Max(0, rows.Count - _shown));
        var table = SocketTable.Lines([.. rows.Skip(_first).Take(_shown)], width, withInfo: false).ToList();
        for (var i = 0; i < table.Count; i++)
            lines.Add((table[i], i == 0 ? new Style(decoration: Decoration.Underline) : Style.Plain));
        while (lines.Count < height - 1)
            lines.Add(("", Style.Plain));
        var place = rows.Count > _shown ? $"{_first + 1} to {Math.Min(rows.Count, _first + _shown)} of {rows.Count}; arrows, page up, page down; " : "";
        lines.Add(($"{place}q ends", new Style(decoration: Decoration.Dim)));
        return new Rows(lines.Select(line => new Text(line.Text.Length > width ? line.Text[..width] : line.Text, line.Style)));
    }

    private static (string Text, Style Style) WireLine(JsonElement each)
    {
        var wire = each.GetProperty("wire");
        var isUp = wire.GetProperty("up").GetBoolean();
        var addresses = string.Join(", ", each.GetProperty("addresses").EnumerateArray());
        return ($"{each.GetProperty("name")} {(isUp ? "up" : "DOWN")}, {addresses}", isUp ? Style.Plain : new Style(Color.Red, decoration: Decoration.Bold));
    }

    /// <summary>The latest rates as bars of eighths, the highest one being full, and the newest in words.</summary>
    internal static string Sparkline(IReadOnlyList<double> rates, int width)
    {
        if (rates.Count == 0)
            return "...";
        var now = StatusUnits.BitRate(rates[^1]);
        var most = Math.Max(1, rates.Max());
        var peak = $" (most {StatusUnits.BitRate(most)})";
        var room = Math.Max(0, width - "out  ".Length - now.Length - peak.Length - 2);
        var bars = rates.Skip(Math.Max(0, rates.Count - room)).Select(rate => rate <= 0 ? ' ' : Bars[Math.Min(Bars.Length - 1, (int)(rate / most * (Bars.Length - 1) + 0.5))]);
        return $"{string.Concat(bars)} {now}{(rates.Count > 1 ? peak : "")}";
    }
}
