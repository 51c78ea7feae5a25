using System.Text.Json;

namespace Tapwire.Host.Status;

/// <summary>A socket in a driver's status.</summary>
/// <param name="Remote">Empty: it has no peer.</param>
internal sealed record SocketRow(string State, string Local, string Remote, long SendQueue, long ReceiveQueue)
{
    public double? Age { get; private init; }

    public string Interface { get; private init; } = "";

    public long Dropped { get; private init; }

    /// <summary>The program, or the part of the driver.</summary>
    public string Owner { get; private init; } = "";

    /// <summary>0: it is no program's.</summary>
    public int Process { get; private init; }

    public uint? User { get; private init; }

    /// <summary>Payload bytes that have arrived at the peer; null: it is no connection.</summary>
    public long? Sent { get; private init; }

    /// <summary>Payload bytes that have come; null: it is no connection.</summary>
    public long? Received { get; private init; }

    /// <summary>In microseconds; null: not measured.</summary>
    public long? RoundTrip { get; private init; }

    public string LimitedBy { get; private init; } = "";

    /// <summary>What ss -i shows, in its words; empty: it is no connection.</summary>
    public string Info { get; private init; } = "";

    /// <summary>Bytes a second, where it has been looked at before.</summary>
    public double? SendRate { get; init; }

    public double? ReceiveRate { get; init; }

    public bool IsConnection => Sent is not null;

    /// <summary>Tells the same connection in two answers.</summary>
    public (string State, string Local, string Remote) Key => (IsConnection ? "" : State, Local, Remote);

    /// <summary>As a user knows it: "nginx (1234)", "service echo".</summary>
    public string OwnerText => Process != 0 ? $"{(Owner.Length == 0 ? "?" : Owner)} ({Process})" : Owner;

    /// <param name="row">An element of "connections", or of "sockets".</param>
    public static SocketRow Of(JsonElement row)
    {
        var (name, process, user) = OwnerOf(row);
        var plain = new SocketRow(row.GetProperty("state").GetString()!, row.GetProperty("local").GetString()!, row.GetProperty("remote").GetString()!, row.GetProperty("sendQueue").GetInt64(),
            row.GetProperty("receiveQueue").GetInt64())
        {
            // What a driver before 0.14 does not tell stays empty.
            Age = row.TryGetProperty("ageSeconds", out var age) ? age.GetDouble() : null,
            Interface = row.TryGetProperty("interface", out var on) ? on.GetString()! : "",
            Dropped = row.TryGetProperty("dropped", out var dropped) ? dropped.GetInt64() : 0,
            Owner = name,
            Process = process,
            User = user,
        };
        return row.TryGetProperty("tcp", out var tcp) ? plain.With(tcp) : plain;
    }

    private SocketRow With(JsonElement tcp) => this with
    {
        Sent = tcp.GetProperty("bytesDelivered").GetInt64(),
        Received = tcp.TryGetProperty("bytesReceived", out var received) ? received.GetInt64() : 0,
        RoundTrip = tcp.GetProperty("roundTripMicroseconds").GetInt64() is > 0 and var time ? time : null,
        LimitedBy = tcp.TryGetProperty("limitedBy", out var limit) ? limit.GetString()! : "",
        Info = InfoOf(tcp),
    };

    private static (string Name, int Process, uint? User) OwnerOf(JsonElement row)
    {
        if (!row.TryGetProperty("owner", out var owner))
            return ("", 0, null);
        var (kind, name) = (owner.GetProperty("kind").GetString()!, owner.GetProperty("name").GetString()!);
        return owner.TryGetProperty("process", out var process)
            ? (name, process.GetInt32(), owner.GetProperty("user").GetUInt32())
            : (name.Length == 0 ? kind : $"{kind} {name}", 0, null);
    }

    private static string InfoOf(JsonElement tcp)
    {
        var segment = Math.Max(1, tcp.GetProperty("segmentSize").GetInt64());
        var words = new List<string>
        {
            tcp.GetProperty("congestionControl").GetString()!,
            $"rto:{StatusUnits.Time(tcp.GetProperty("retransmissionTimeoutMicroseconds").GetInt64())}",
            $"rtt:{StatusUnits.Time(tcp.GetProperty("roundTripMicroseconds").GetInt64())}/{(tcp.TryGetProperty("roundTripVariationMicroseconds", out var variation) ? StatusUnits.Time(variation.GetInt64()) : "-")}",
            $"minrtt:{StatusUnits.Time(tcp.GetProperty("minRoundTripMicroseconds").GetInt64())}",
            $"mss:{segment}",
            $"cwnd:{tcp.GetProperty("congestionWindow").GetInt64() / segment}",
        };
        if (tcp.TryGetProperty("slowStartThreshold", out var threshold))
            words.Add($"ssthresh:{threshold.GetInt64() / segment}");
        words.Add($"bytes_acked:{tcp.GetProperty("bytesDelivered").GetInt64()}");
        if (tcp.TryGetProperty("bytesReceived", out var received))
            words.Add($"bytes_received:{received.GetInt64()}");
        words.Add($"unacked:{tcp.GetProperty("bytesInFlight").GetInt64()}");
        words.Add($"snd_wnd:{tcp.GetProperty("sendWindow").GetInt64()}");
        words.Add($"rcv_wnd:{tcp.GetProperty("receiveWindow").GetInt64()}");
        if (tcp.GetProperty("pacingBytesPerSecond").GetInt64() is > 0 and var pace)
            words.Add($"pacing_rate:{StatusUnits.BitRate(pace)}");
        if (tcp.GetProperty("segmentsSentAgain").GetInt64() is > 0 and var again)
            words.Add($"retrans:{again}");
        if (tcp.GetProperty("bytesLost").GetInt64() is > 0 and var lost)
            words.Add($"lost:{lost}");
        if (tcp.TryGetProperty("timeouts", out var timeouts) && timeouts.GetInt64() > 0)
            words.Add($"timeouts:{timeouts.GetInt64()}");
        if (tcp.GetProperty("reorderingSeen").GetBoolean())
            words.Add("reordering");
        return string.Join(' ', words);
    }
}
