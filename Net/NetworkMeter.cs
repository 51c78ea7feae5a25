using System.Diagnostics.Metrics;

namespace Tapwire;

/// <summary>Figures of all networks of this process, for <c>dotnet-counters monitor --counters Tapwire</c> and exporters: meter Tapwire.</summary>
internal static class NetworkMeter
{
    private static readonly Lock Gate = new();
    private static readonly List<DriverSocketSet> Networks = [];
    private static readonly Meter Meter = new("Tapwire");
    private static (long Received, long Sent) s_past;

    static NetworkMeter()
    {
        Meter.CreateObservableUpDownCounter("tapwire.sockets", static () => Sum(static each => each.Count), "{socket}", "Open sockets: connections, listeners, UDP sockets.");
        Meter.CreateObservableCounter("tapwire.bytes.received", static () => Sum(static each => each.Bytes.Received) + Past().Received, "By", "Bytes that this process has read.");
        Meter.CreateObservableCounter("tapwire.bytes.sent", static () => Sum(static each => each.Bytes.Sent) + Past().Sent, "By", "Bytes that this process has written.");
    }

    public static void Add(DriverSocketSet network)
    {
        lock (Gate)
            Networks.Add(network);
    }

    public static void Remove(DriverSocketSet network)
    {
        lock (Gate)
        {
            if (!Networks.Remove(network))
                return;
            var (received, sent) = network.Bytes;
            s_past = (s_past.Received + received, s_past.Sent + sent);
        }
    }

    private static (long Received, long Sent) Past()
    {
        lock (Gate)
            return s_past;
    }

    private static long Sum(Func<DriverSocketSet, long> of)
    {
        lock (Gate)
            return Networks.Sum(of);
    }
}
