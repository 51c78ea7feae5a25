using System.CommandLine;
using Spectre.Console;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire status</c>: shows the status of a running driver.</summary>
internal static class StatusCommand
{
    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");
    private static readonly Option<bool> Watch = Flags.Switch("--watch", "Again every second, until Ctrl-C.");

    private static readonly Flag<TimeSpan> Timeout = Flags.Time("--timeout", "How long the driver may take to answer; 5s when not given.",
        TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), LinkOption.Patience);

    public static Command Create()
    {
        var command = new ExampledCommand("status", "Shows addresses, connections and counters of a running driver.",
            "tapwire status",
            "tapwire status --json --link /run/user/1000/tapwire.sock") { Json, Watch, Timeout, LinkOption.Path };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(parsed, interrupt)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Interrupt interrupt)
    {
        var path = LinkOption.PathOf(parsed);
        var timeout = parsed.Read(Timeout);
        using var client = await LinkOption.ConnectAsync(path, timeout, interrupt.Token);
        var json = parsed.GetValue(Json);
        var watch = parsed.GetValue(Watch);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        do
        {
            var status = await LinkOption.AskAsync(client.GetStatusAsync, path, timeout, interrupt.Token);
            if (watch && !json && !Console.IsOutputRedirected)
                AnsiConsole.Clear();
            if (json)
                Console.WriteLine(status);
            else
                StatusText.Print(status);
        }
        while (watch && await timer.WaitForNextTickAsync(interrupt.Token));
        return ExitCode.Done;
    }
}
