using System.CommandLine;
using System.Text.Json;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary>
/// <c>list</c> and <c>flush</c> of addresses, routes and neighbours, in the words of iproute2: what the interfaces of a running driver have, from its status.
/// </summary>
internal static class DriverLists
{
    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");
    private static readonly Flag<string?> Of = OperatorCommand.Interface("Of this interface only.");

    /// <summary>iproute2's options of a family.</summary>
    public static readonly Option<bool> V4 = Flags.Switch("-4", "Of IPv4 only.");

    public static readonly Option<bool> V6 = Flags.Switch("-6", "Of IPv6 only.");

    /// <param name="property">The array of an interface in the status.</param>
    /// <param name="line">Formats an entry of it.</param>
    public static Command List(string description, string property, Func<JsonElement, string, string> line, params string[] examples)
    {
        var list = new ExampledCommand("list", description, examples);
        list.Aliases.Add("show");
        list.Aliases.Add("ls");
        return ListsAlone(list, property, line);
    }

    /// <summary>Has a command list what there is; one that has others below it does so where none of them is named.</summary>
    public static Command ListsAlone(Command list, string property, Func<JsonElement, string, string> line)
    {
        foreach (var option in (Option[])[Of, V4, V6, Json])
            list.Add(option);
        return list.Doing(static parsed => (Interface: parsed.Read(Of), V4: parsed.GetValue(V4), V6: parsed.GetValue(V6), AsJson: parsed.GetValue(Json)), async (asked, client, cancel) =>
        {
            using var status = JsonDocument.Parse(await client.GetStatusAsync(cancel));
            var entries = EntriesOf(status.RootElement, property, asked.Interface).Where(each => asked.V4 == asked.V6 || IsV6(each.Entry) == asked.V6).ToList();
            if (asked.AsJson)
            {
                Console.WriteLine(JsonOf(entries));
                return;
            }

            foreach (var (name, entry) in entries)
                Console.WriteLine(line(entry, name));
        });
    }

    private static bool IsV6(JsonElement entry)
    {
        var address = entry.ValueKind == JsonValueKind.String ? entry : entry.TryGetProperty("destination", out var destination) ? destination : entry.GetProperty("address");
        return address.GetString()!.Contains(':', StringComparison.Ordinal);
    }

    /// <summary>The entries of all interfaces, or of one.</summary>
    /// <exception cref="CommandFailedException">There is no such interface, or the driver says nothing of such entries.</exception>
    public static IEnumerable<(string Interface, JsonElement Entry)> EntriesOf(JsonElement status, string property, string? name)
    {
        if (!status.TryGetProperty("interfaces", out var interfaces))
            throw new CommandFailedException("The driver is of a release in which it has one interface only; 'tapwire status' shows it.");
        var found = interfaces.EnumerateArray().Where(each => name is null || each.GetProperty("name").GetString() == name).ToList();
        if (found.Count == 0 && name is not null)
            throw new CommandFailedException($"There is no interface {name}; there are {string.Join(", ", interfaces.EnumerateArray().Select(static each => each.GetProperty("name").GetString()))}.");
        foreach (var each in found)
        {
            if (!each.TryGetProperty(property, out var entries))
                throw new CommandFailedException($"The driver says nothing of its {property}: it is of an older release; start it again after an update.");
            foreach (var entry in entries.EnumerateArray())
                yield return (each.GetProperty("name").GetString()!, entry);
        }
    }

    /// <summary>Removes entries one by one. Those that the driver has by itself, or that others have given it, stay, and are named.</summary>
    /// <param name="stays">The errors that mean so.</param>
    public static async Task FlushAsync(TapwireClient client, string property, string? name, Func<JsonElement, bool> isWanted, Func<JsonElement, string> text,
        Func<string, JsonElement, Task> remove, System.Net.Sockets.SocketError stays, CancellationToken cancel)
    {
        using var status = JsonDocument.Parse(await client.GetStatusAsync(cancel));
        var kept = new List<string>();
        foreach (var (on, entry) in EntriesOf(status.RootElement, property, name).Where(each => isWanted(each.Entry)).ToList())
        {
            try
            {
                await remove(on, entry);
            }
            catch (System.Net.Sockets.SocketException e) when (e.SocketErrorCode == stays)
            {
                kept.Add($"{text(entry)} dev {on}");
            }
        }

        if (kept.Count > 0)
            Console.WriteLine($"{string.Join(", ", kept)} {(kept.Count == 1 ? "stays" : "stay")}: the network or the interface itself has given {(kept.Count == 1 ? "it" : "them")}.");
    }

    /// <summary>The entries with the names of their interfaces.</summary>
    private static string JsonOf(IEnumerable<(string Interface, JsonElement Entry)> entries)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var (name, entry) in entries)
            {
                json.WriteStartObject();
                json.WriteString("interface", name);
                if (entry.ValueKind == JsonValueKind.Object)
                {
                    foreach (var property in entry.EnumerateObject())
                        property.WriteTo(json);
                }
                else
                {
                    json.WritePropertyName("address");
                    entry.WriteTo(json);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }
}
