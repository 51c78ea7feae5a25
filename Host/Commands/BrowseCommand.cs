using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Configuration;
using Tapwire.Links.Client;
using Tapwire.Names.Mdns;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire browse [SERVICE]</c>: services on the links of a running driver, by multicast DNS.</summary>
internal static class BrowseCommand
{
    private static readonly Argument<string> Service = Optional(OperatorCommand.Argument<string>("SERVICE", "The type of the services, as _http._tcp or http; all types there are when not given.",
        TryParse, "a type of services, as _http._tcp or _ipp._tcp"));

    private static readonly Flag<TimeSpan> Timeout = Flags.Time("--timeout", "How long hosts have to answer; 2s when not given.", TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(2));
    private static readonly Option<bool> Watch = Flags.Switch("--watch", "Goes on, and shows what comes and goes: a line begins with + or -.");
    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, an object a line.");

    public static Command Create()
    {
        Timeout.Aliases.Add("-t");
        Watch.Aliases.Add("-w");
        var command = new ExampledCommand("browse", "Lists services that hosts of the links offer (DNS-SD). Fails when there are none.",
            "tapwire browse",
            "tapwire browse _http._tcp",
            "tapwire browse ipp --watch")
        {
            Service, Timeout, Watch, Json, LinkOption.Path,
        };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(parsed, interrupt)));
        return command;
    }

    private static bool TryParse(string text, [MaybeNullWhen(false)] out string service, [NotNullWhen(false)] out string? problem)
    {
        service = text;
        problem = MdnsNames.TryParseServiceType(text, out _) ? null : "";
        return problem is null;
    }

    private static Argument<string> Optional(Argument<string> argument)
    {
        argument.Arity = ArgumentArity.ZeroOrOne;
        return argument;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Interrupt interrupt)
    {
        var (service, time, asJson, path) = (parsed.GetValue(Service) ?? "", parsed.Read(Timeout), parsed.GetValue(Json), LinkOption.PathOf(parsed));
        using var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, interrupt.Token);
        var known = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            if (!parsed.GetValue(Watch))
            {
                var found = await AskAsync(client, service, time, path, interrupt.Token);
                foreach (var (_, text) in found.Select(each => Told(each, asJson, "")))
                    Console.WriteLine(text);
                return found.Count > 0 ? ExitCode.Done : throw new CommandFailedException(service.Length == 0 ? "No host of the links offers a service." : $"No host of the links offers {service}.");
            }

            while (true)
                Show(known, await AskAsync(client, service, time, path, interrupt.Token), asJson);
        }
        catch (OperationCanceledException)
        {
            return interrupt.CancelledCode;
        }
    }

    /// <summary>What there is. The time-out of the request is longer than the driver's own.</summary>
    private static async Task<List<JsonElement>> AskAsync(TapwireClient client, string service, TimeSpan time, string path, CancellationToken cancel)
    {
        try
        {
            using var answer = JsonDocument.Parse(await LinkOption.AskAsync(limited => client.BrowseAsync(service, time, limited), path, time + 2 * LinkOption.Patience, cancel));
            if (answer.RootElement.GetProperty("left").GetInt32() is > 0 and var left)
                Console.Error.WriteLine($"tapwire: {left} more have found no room in the answer.");
            return [.. answer.RootElement.GetProperty("services").EnumerateArray().Select(static each => each.Clone())];
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
        {
            throw new CommandFailedException($"The driver at '{path}' does not know this command: it is of an older release; start it again after an update.", e);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }

    /// <summary>Shows what differs from what was shown before.</summary>
    private static void Show(Dictionary<string, string> known, List<JsonElement> found, bool asJson)
    {
        var now = found.ToDictionary(KeyOf, each => each, StringComparer.Ordinal);
        foreach (var key in known.Keys.Where(key => !now.ContainsKey(key)).ToList())
        {
            Console.WriteLine(asJson ? $"{{\"event\":\"gone\",{known[key][1..]}" : $"- {known[key]}");
            known.Remove(key);
        }

        foreach (var (key, service) in now)
        {
            var (plain, text) = Told(service, asJson, "+ ");
            if (known.TryGetValue(key, out var before) && before == plain)
                continue;
            known[key] = plain;
            Console.WriteLine(asJson ? $"{{\"event\":\"found\",{plain[1..]}" : text);
        }
    }

    private static string KeyOf(JsonElement service) => $"{TextOf(service, "interface")}\n{TextOf(service, "type")}\n{TextOf(service, "name")}";

    /// <summary>A service as lines of text, or as JSON.</summary>
    private static (string Plain, string Marked) Told(JsonElement service, bool asJson, string mark)
    {
        if (asJson)
        {
            var json = service.GetRawText();
            return (json, json);
        }

        var text = $"{TextOf(service, "name")} on {TextOf(service, "interface")}";
        if (service.TryGetProperty("host", out var host))
            text += $"\n    {string.Join(", ", ListOf(service, "addresses").Prepend($"{Complaint.Line(host.GetString()!)}:{service.GetProperty("port")}"))}";
        text = string.Concat(text, string.Concat(ListOf(service, "text").Select(static line => $"\n    {line}")));
        return (text, mark + text);
    }

    private static string TextOf(JsonElement service, string property) => Complaint.Line(service.GetProperty(property).GetString()!);

    private static IEnumerable<string> ListOf(JsonElement service, string property) =>
        service.TryGetProperty(property, out var list) ? list.EnumerateArray().Select(static each => Complaint.Line(each.GetString()!)) : [];
}
