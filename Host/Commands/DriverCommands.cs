using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using Tapwire.Actors.Settings;
using Tapwire.Host.Status;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire stop</c>, <c>reload</c> and <c>kill</c>: what ends, and what begins anew.</summary>
internal static class DriverCommands
{
    private static readonly Argument<IPEndPoint> Local = End("LOCAL", "The connection's own address and port, as 'tapwire status' shows it.");
    private static readonly Argument<IPEndPoint> Remote = End("REMOTE", "Its peer's.");

    private static readonly Flag<TimeSpan> StopTimeout = Flags.Time("--timeout", "How long the stop may take; 0: it is not waited for; 90s when not given.", TimeSpan.Zero, TimeSpan.FromHours(1), TimeSpan.FromSeconds(90));

    public static Command Stop() => new ExampledCommand("stop", "Has a running driver stop in order, as on SIGTERM: its programs see the end of their streams, and peers too. Returns when it has stopped.",
        "tapwire stop",
        "tapwire stop --timeout 10s") { StopTimeout }.Doing(static parsed => parsed.Read(StopTimeout), StopAsync, static timeout => timeout);

    public static Command Reload() => new ExampledCommand("reload", "Has a running driver read its settings again, as on SIGHUP. Its log says what has changed.", "tapwire reload")
        .Doing(static (_, client, cancel) => client.OperateAsync(DriverOperation.Reload, cancel));

    private static async Task StopAsync(TimeSpan timeout, TapwireClient client, CancellationToken cancel)
    {
        var driver = timeout == TimeSpan.Zero ? null : DriverProcess.In(await client.GetFiguresAsync(cancel));
        await client.OperateAsync(DriverOperation.Stop, cancel);
        if (driver is not null && !await driver.HasEndedWithinAsync(timeout, cancel))
        {
            throw new CommandFailedException($"The driver, process id {driver.Id}, is stopping, and has not ended within {Duration.Format(timeout)}; its connections may take tapwire.shutdown-timeout. "
                + "Wait longer with --timeout, or see its log.");
        }
    }

    public static Command Kill()
    {
        var kill = new ExampledCommand("kill", "Ends TCP connections of a running driver for both sides, as ss -K does: the one of two addresses, or those that options choose.",
            "tapwire kill 10.99.0.2:8080 10.99.0.1:51234",
            "tapwire kill --port 8080 --state close-wait") { Local, Remote, SocketOptions.States, SocketOptions.Port, SocketOptions.Process, SocketOptions.Program, SocketOptions.Address };
        kill.Validators.Add(static result =>
        {
            var (hasLocal, hasRemote) = (result.GetResult(Local) is { Tokens.Count: > 0 }, result.GetResult(Remote) is { Tokens.Count: > 0 });
            var chooses = SocketOptions.AreGiven(result);
            if (hasLocal != hasRemote)
                result.AddError("REMOTE is missing; a connection has two addresses, LOCAL and REMOTE.");
            else if (hasLocal == chooses)
                result.AddError(chooses ? "LOCAL and REMOTE name the one connection; give them or options, not both." : "No connection is named; give LOCAL and REMOTE, or choose by --port, --state, --process, --program or --address.");
        });
        return kill.Doing(static parsed => (Local: parsed.GetValue(Local), Remote: parsed.GetValue(Remote), Query: SocketOptions.QueryOf(parsed)), static async (asked, client, cancel) =>
        {
            if (asked is { Local: { } local, Remote: { } remote })
                await client.KillAsync(local, remote, cancel);
            else
                await KillAllAsync(client, asked.Query, cancel);
        });
    }

    private static async Task KillAllAsync(TapwireClient client, SocketQuery query, CancellationToken cancel)
    {
        using var status = JsonDocument.Parse(await client.GetStatusAsync(cancel));
        var killed = 0;
        foreach (var row in (await query.AskAsync(client, status.RootElement, cancel)).Select(SocketRow.Of).Where(static row => row.IsConnection))
        {
            try
            {
                await client.KillAsync(IPEndPoint.Parse(row.Local), IPEndPoint.Parse(row.Remote), cancel);
                killed++;
            }
            catch (System.Net.Sockets.SocketException e) when (e.SocketErrorCode is System.Net.Sockets.SocketError.AddressNotAvailable or System.Net.Sockets.SocketError.SocketError)
            {
                // It has ended by itself.
            }
        }

        Console.WriteLine($"{killed} {(killed == 1 ? "connection" : "connections")} ended");
    }

    private static Argument<IPEndPoint> End(string name, string description)
    {
        var end = OperatorCommand.Argument<IPEndPoint>(name, description, static (string text, [MaybeNullWhen(false)] out IPEndPoint value, [NotNullWhen(false)] out string? problem) =>
        {
            problem = IPEndPoint.TryParse(text, out value) && value.Port != 0 ? null : "";
            return problem is null;
        }, "an address and a port, as in 10.99.0.2:8080 or [fd00::2]:8080");
        end.Arity = ArgumentArity.ZeroOrOne;
        return end;
    }
}
