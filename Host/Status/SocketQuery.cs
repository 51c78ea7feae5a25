using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Status;

/// <summary>Which sockets of a driver a command shows, and in which order.</summary>
/// <param name="Filter">What the driver itself leaves out.</param>
/// <param name="Program">Part of a program's name, or null: any.</param>
/// <param name="Sort">Null: as the driver has them.</param>
internal sealed record SocketQuery(SocketFilter Filter, string? Program, SocketOrder? Sort)
{
    /// <summary>Only some of the sockets are wanted.</summary>
    public bool IsNarrow => Filter != new SocketFilter() || Program is not null;

    /// <summary>Asks for all pages.</summary>
    /// <param name="status">The driver's status: one of an earlier release tells of its sockets there only.</param>
    public async Task<List<JsonElement>> AskAsync(TapwireClient client, JsonElement status, CancellationToken cancel)
    {
        var all = new List<JsonElement>();
        ulong? cursor = 0;
        while (cursor is { } from)
        {
            JsonDocument page;
            try
            {
                page = JsonDocument.Parse(await client.GetSocketsAsync(Filter, from, cancel));
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
            {
                return [.. status.GetProperty("connections").EnumerateArray().Where(HasFiltered).Where(HasProgram)];
            }

            using (page)
            {
                all.AddRange(page.RootElement.GetProperty("sockets").EnumerateArray().Where(HasProgram).Select(static row => row.Clone()));
                cursor = page.RootElement.TryGetProperty("next", out var next) ? next.GetUInt64() : null;
            }
        }

        return all;
    }

    public List<SocketRow> InOrder(IEnumerable<SocketRow> rows) => Sort switch
    {
        null => [.. rows],
        SocketOrder.Age => [.. rows.OrderBy(static row => row.Age ?? double.MaxValue)],
        SocketOrder.Rtt => [.. rows.OrderByDescending(static row => row.RoundTrip ?? 0)],
        SocketOrder.Out => [.. rows.OrderByDescending(static row => row.SendRate ?? row.Sent ?? -1)],
        SocketOrder.In => [.. rows.OrderByDescending(static row => row.ReceiveRate ?? row.Received ?? -1)],
        SocketOrder.SendQueue => [.. rows.OrderByDescending(static row => row.SendQueue)],
        SocketOrder.ReceiveQueue => [.. rows.OrderByDescending(static row => row.ReceiveQueue)],
        SocketOrder.Process => [.. rows.OrderBy(static row => row.Process).ThenBy(static row => row.Owner, StringComparer.Ordinal)],
        SocketOrder.State => [.. rows.OrderBy(static row => row.State, StringComparer.Ordinal)],
        _ => [.. rows.OrderBy(static row => row.Local, StringComparer.Ordinal).ThenBy(static row => row.Remote, StringComparer.Ordinal)],
    };

    private bool HasProgram(JsonElement row) => Program is null
        || (row.TryGetProperty("owner", out var owner) && owner.GetProperty("name").GetString()!.Contains(Program, StringComparison.Ordinal));

    /// <summary>For a driver that cannot leave out itself.</summary>
    private bool HasFiltered(JsonElement json)
    {
        var row = SocketRow.Of(json);
        return Filter.Process == 0 && Filter.Has(row.State, EndOf(row.Local), EndOf(row.Remote));
    }

    /// <param name="text">Empty: there is no peer.</param>
    private static IpEndpoint EndOf(string text) => IPEndPoint.TryParse(text, out var end) ? new IpEndpoint(IpAddress.FromSystem(end.Address), (ushort)end.Port) : default;
}

/// <summary>By what sockets are sorted.</summary>
internal enum SocketOrder
{
    Local,
    State,
    Process,
    Age,
    Rtt,
    Out,
    In,
    SendQueue,
    ReceiveQueue,
}
