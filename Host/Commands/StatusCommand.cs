using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Spectre.Console;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire status</c>: what a running driver is doing.</summary>
internal static class StatusCommand
{
    private static readonly Option<bool> Json = new("--json") { Description = "As JSON, on one line." };
    private static readonly Option<bool> Watch = new("--watch") { Description = "Again every second, until Ctrl-C." };

    public static Command Create()
    {
        var command = new Command("status", "Shows addresses, connections and counters of a running driver.") { Json, Watch, LinkOption.Path };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        using var client = await LinkOption.ConnectAsync(parsed, interrupt.Token);
        var json = parsed.GetValue(Json);
        var watch = parsed.GetValue(Watch);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        do
        {
            var status = await AskAsync(client, interrupt.Token);
            if (watch && !json && !Console.IsOutputRedirected)
                AnsiConsole.Clear();
            if (json)
                Console.WriteLine(status);
            else
                Show(status);
        }
        while (watch && await timer.WaitForNextTickAsync(interrupt.Token));
        return ExitCode.Done;
    }

    /// <exception cref="CommandFailedException">The driver has gone.</exception>
    private static async Task<string> AskAsync(TapwireClient client, CancellationToken cancel)
    {
        try
        {
            return await client.GetStatusAsync(cancel);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw new CommandFailedException("The driver has ended the connection: it has stopped, or is stopping.", e);
        }
    }

    private static void Show(string json)
    {
        using var document = JsonDocument.Parse(json);
        var status = document.RootElement;
        var wire = status.GetProperty("wire");
        Console.WriteLine($"up           {TimeSpan.FromSeconds(status.GetProperty("uptimeSeconds").GetDouble()):d\\.hh\\:mm\\:ss}");
        Console.WriteLine($"wire         {wire.GetProperty("name")} {(wire.GetProperty("up").GetBoolean() ? "up" : "DOWN")}, MTU {wire.GetProperty("mtu")}, offloads {wire.GetProperty("offloads")}");
        Console.WriteLine($"received     {wire.GetProperty("framesReceived")} frames, {wire.GetProperty("bytesReceived")} bytes");
        Console.WriteLine($"sent         {wire.GetProperty("framesSent")} frames, {wire.GetProperty("bytesSent")} bytes");
        Console.WriteLine($"addresses    {string.Join(", ", status.GetProperty("addresses").EnumerateArray())}");
        Console.WriteLine($"link         {status.GetProperty("link").GetProperty("sessions")} sessions, {status.GetProperty("link").GetProperty("sockets")} sockets");
        foreach (var port in status.GetProperty("ports").EnumerateArray())
        {
            Console.WriteLine($"port         {port.GetProperty("name")}: {port.GetProperty("open")} open, {port.GetProperty("accepted")} accepted, "
                + $"{port.GetProperty("refused")} refused, {port.GetProperty("failed")} failed, {port.GetProperty("datagramsDropped")} datagrams dropped");
        }

        Console.WriteLine($"connections  {status.GetProperty("connectionCount")}");
        Console.WriteLine();
        var connections = status.GetProperty("connections");
        if (connections.GetArrayLength() > 0)
        {
            var table = Plain("state", "local", "remote", "send queue", "receive queue");
            foreach (var connection in connections.EnumerateArray())
            {
                table.AddRow(Cell(connection, "state"), Cell(connection, "local"), Cell(connection, "remote"), Cell(connection, "sendQueue"), Cell(connection, "receiveQueue"));
            }

            AnsiConsole.Write(table);
            Console.WriteLine();
        }

        var counters = Plain("counter", "value");
        foreach (var counter in status.GetProperty("counters").EnumerateObject())
            counters.AddRow(counter.Name, counter.Value.GetInt64().ToString(CultureInfo.InvariantCulture));
        AnsiConsole.Write(counters);
    }

    private static Table Plain(params string[] columns)
    {
        var table = new Table().Border(TableBorder.None);
        foreach (var column in columns)
            table.AddColumn(column);
        return table;
    }

    private static string Cell(JsonElement row, string name) => Markup.Escape(row.GetProperty(name).ToString());
}
