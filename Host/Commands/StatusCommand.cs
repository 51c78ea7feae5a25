using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using Tapwire.Host.Status;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire status</c>: shows what a running driver does.</summary>
internal static class StatusCommand
{
    private static readonly Dictionary<string, SocketOrder> Orders = Enum.GetValues<SocketOrder>().ToDictionary(static order => SocketOptions.Dashed(order.ToString()));

    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");
    private static readonly Option<bool> Watch = Flags.Switch("--watch", "Again every second, until q or Ctrl-C; on a terminal in the whole window.");
    private static readonly Option<bool> Info = Flags.Switch("--info", "With TCP's variables, as ss -i has them.");
    private static readonly Option<bool> All = Flags.Switch("--all", $"All sockets, not just the first {StatusText.MostSockets}.");

    private static readonly Flag<SocketOrder?> Sort = Flags.Value<SocketOrder?>("--sort", "The sockets' order: the highest first of numbers, the youngest first of ages.", "COLUMN", TryParseOrder,
        $"one of {string.Join(", ", Orders.Keys)}", null);

    private static readonly Flag<TimeSpan> Timeout = Flags.Time("--timeout", "How long the driver may take to answer; 5s when not given.",
        TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), LinkOption.Patience);

    public static Command Create()
    {
        var command = new ExampledCommand("status", "Shows sockets, interfaces and counters of a running driver.",
            "tapwire status",
            "tapwire status --state established --sort out --info",
            "tapwire status --watch",
            "tapwire status --json --link /run/user/1000/tapwire.sock") { SocketOptions.States, SocketOptions.Port, SocketOptions.Process, SocketOptions.Program, SocketOptions.Address, Sort, Info, All, Json, Watch, Timeout, LinkOption.Path };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(parsed, interrupt)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Interrupt interrupt)
    {
        var path = LinkOption.PathOf(parsed);
        var timeout = parsed.Read(Timeout);
        var query = SocketOptions.QueryOf(parsed, parsed.Read(Sort));
        using var client = await LinkOption.ConnectAsync(path, timeout, interrupt.Token);
        var rates = new StatusRates();
        if (!parsed.GetValue(Watch))
            await PrintAsync();
        else if (parsed.GetValue(Json) || Console.IsOutputRedirected)
            await RepeatAsync();
        else
            await new StatusScreen(AnsiConsole.Console).RunAsync(rates, LookAsync, interrupt.Token);
        return ExitCode.Done;

        async Task RepeatAsync()
        {
            using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
            do
                await PrintAsync();
            while (await timer.WaitForNextTickAsync(interrupt.Token));
        }

        async Task<(JsonDocument Status, List<SocketRow> Rows)> LookAsync()
        {
            var (status, sockets) = await AskAsync();
            var rows = rates.Take(status.RootElement, [.. sockets.Select(SocketRow.Of)]);
            return (status, (query.Sort is null ? query with { Sort = SocketOrder.Out } : query).InOrder(rows));
        }

        async Task PrintAsync()
        {
            var (status, sockets) = await AskAsync();
            using (status)
            {
                if (parsed.GetValue(Json))
                {
                    Console.WriteLine(CompleteJson(status.RootElement, sockets));
                    return;
                }

                var rows = query.InOrder(sockets.Select(SocketRow.Of));
                StatusText.PrintSockets(rows, Console.IsOutputRedirected ? int.MaxValue : AnsiConsole.Profile.Width, parsed.GetValue(Info), parsed.GetValue(All) ? int.MaxValue : StatusText.MostSockets);
                if (query.IsNarrow)
                    return;
                if (rows.Count > 0)
                    Console.WriteLine();
                StatusText.PrintRest(status.RootElement);
            }
        }

        async Task<(JsonDocument Status, List<JsonElement> Sockets)> AskAsync()
        {
            var status = JsonDocument.Parse(await LinkOption.AskAsync(client.GetFiguresAsync, path, timeout, interrupt.Token));
            return (status, await LinkOption.AskAsync(cancel => query.AskAsync(client, status.RootElement, cancel), path, timeout, interrupt.Token));
        }
    }

    /// <summary>The driver's status, with all sockets that are wanted in the place of those that it tells of there.</summary>
    private static string CompleteJson(JsonElement status, IEnumerable<JsonElement> sockets)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var property in status.EnumerateObject())
            {
                if (!property.NameEquals("connections"))
                {
                    property.WriteTo(json);
                    continue;
                }

                json.WriteStartArray("connections");
                foreach (var socket in sockets)
                    socket.WriteTo(json);
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
    }

    private static bool TryParseOrder(string text, out SocketOrder? order)
    {
        var found = Orders.TryGetValue(text, out var value);
        order = found ? value : null;
        return found;
    }
}
