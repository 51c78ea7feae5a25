using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using Tapwire.Host.Status;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire status</c>: shows what a running driver does.</summary>
internal static class StatusCommand
{
    /// <summary>As ss has them. Before the options, which name them.</summary>
    private static readonly SortedDictionary<string, ushort> StateNames = new(SocketFilter.States.ToDictionary(static state => Dashed(state), SocketFilter.MaskOf), StringComparer.Ordinal);

    private static readonly Dictionary<string, SocketOrder> Orders = Enum.GetValues<SocketOrder>().ToDictionary(static order => Dashed(order.ToString()));

    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");
    private static readonly Option<bool> Watch = Flags.Switch("--watch", "Again every second, until q or Ctrl-C; on a terminal in the whole window.");
    private static readonly Option<bool> Info = Flags.Switch("--info", "With TCP's variables, as ss -i has them.");
    private static readonly Option<bool> All = Flags.Switch("--all", $"All sockets, not just the first {StatusText.MostSockets}.");

    private static readonly Flag<IReadOnlyList<ushort>> States = Flags.List<ushort>("--state", "Sockets in these states only, as in established,listen,udp.", "STATE", TryParseState,
        $"one of {string.Join(", ", StateNames.Keys)}");

    private static readonly Flag<int> Port = Flags.Number("--port", "Sockets with this port at either end only.", 1, 65535, 0);
    private static readonly Flag<int> Process = Flags.Number("--process", "Sockets of the process with this id only.", 1, int.MaxValue, 0);
    private static readonly Flag<string?> Program = Flags.Value<string?>("--program", "Sockets of programs with this in their names only.", "NAME",
        static (string text, out string? value) => (value = text).Length > 0, "part of a program's name", null);

    private static readonly Flag<IpPrefix?> Address = Flags.Value<IpPrefix?>("--address", "Sockets with an address in this network at either end only.", "PREFIX", TryParsePrefix,
        "an address or a network, as in 10.99.0.0/24 or fd00::1", null);

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
            "tapwire status --json --link /run/user/1000/tapwire.sock") { States, Port, Process, Program, Address, Sort, Info, All, Json, Watch, Timeout, LinkOption.Path };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(parsed, interrupt)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Interrupt interrupt)
    {
        var path = LinkOption.PathOf(parsed);
        var timeout = parsed.Read(Timeout);
        var query = QueryOf(parsed);
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
            var status = JsonDocument.Parse(await LinkOption.AskAsync(client.GetStatusAsync, path, timeout, interrupt.Token));
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

    private static SocketQuery QueryOf(ParseResult parsed) => new(new SocketFilter
    {
        StateMask = (ushort)parsed.Read(States).Aggregate(0, static (mask, state) => mask | state),
        Port = (ushort)parsed.Read(Port),
        Process = parsed.Read(Process),
        Prefix = parsed.Read(Address),
    }, parsed.Read(Program), parsed.Read(Sort));

    private static bool TryParseState(string text, out ushort mask) => StateNames.TryGetValue(text.ToLowerInvariant(), out mask);

    private static bool TryParseOrder(string text, out SocketOrder? order)
    {
        var found = Orders.TryGetValue(text, out var value);
        order = found ? value : null;
        return found;
    }

    private static bool TryParsePrefix(string text, out IpPrefix? prefix)
    {
        var isAddress = IpAddress.TryParse(text, null, out var address);
        prefix = isAddress ? new IpPrefix(address, address.IsV4 ? 32 : 128) : IpPrefix.TryParse(text, null, out var network) ? network : null;
        return prefix is not null;
    }

    /// <summary>"SynSent" as "syn-sent".</summary>
    private static string Dashed(string name) => string.Concat(name.Select(static (letter, index) => (index > 0 && char.IsUpper(letter)) || (index > 0 && char.IsDigit(letter))
        ? $"-{char.ToLowerInvariant(letter)}" : char.ToLowerInvariant(letter).ToString()));
}
