using System.Text.Json;

namespace Tapwire.Host.Status;

/// <summary>Bytes a second between two looks at a driver.</summary>
internal sealed class StatusRates
{
    /// <summary>Looks that are remembered for the picture.</summary>
    private const int History = 120;

    private Dictionary<(string, string, string), (long Sent, long Received)> _before = [];
    private (long In, long Out)? _wiresBefore;
    private double _at = double.NaN;

    /// <summary>Bytes a second from the wires, the newest last.</summary>
    public List<double> In { get; } = [];

    /// <summary>Bytes a second to the wires, the newest last.</summary>
    public List<double> Out { get; } = [];

    /// <summary>Takes a status, whose time is the driver's.</summary>
    /// <returns>The sockets with their rates; of one that was not there before nothing is known.</returns>
    public List<SocketRow> Take(JsonElement status, IReadOnlyList<SocketRow> rows)
    {
        var at = status.GetProperty("uptimeSeconds").GetDouble();
        var seconds = at - _at;
        var wires = Wires(status);
        // A driver that was started again counts from nothing.
        if (seconds > 0 && _wiresBefore is { } before && wires.In >= before.In && wires.Out >= before.Out)
        {
            Add(In, (wires.In - before.In) / seconds);
            Add(Out, (wires.Out - before.Out) / seconds);
        }

        var result = rows.Select(row => row is { Sent: { } sent, Received: { } received } && seconds > 0 && _before.TryGetValue(row.Key, out var then) && sent >= then.Sent && received >= then.Received
            ? row with { SendRate = (sent - then.Sent) / seconds, ReceiveRate = (received - then.Received) / seconds }
            : row).ToList();
        _before = [];
        foreach (var row in rows.Where(static row => row.IsConnection))
            _before[row.Key] = (row.Sent!.Value, row.Received!.Value);
        (_at, _wiresBefore) = (at, wires);
        return result;
    }

    private static (long In, long Out) Wires(JsonElement status)
    {
        long received = 0, sent = 0;
        var all = status.TryGetProperty("interfaces", out var interfaces) ? interfaces.EnumerateArray().Select(static each => each.GetProperty("wire")) : [status.GetProperty("wire")];
        foreach (var wire in all)
        {
            received += wire.GetProperty("bytesReceived").GetInt64();
            sent += wire.GetProperty("bytesSent").GetInt64();
        }

        return (received, sent);
    }

    private static void Add(List<double> history, double rate)
    {
        history.Add(rate);
        if (history.Count > History)
            history.RemoveAt(0);
    }
}
