using System.Buffers;
using System.Text;
using System.Text.Json;
using Tapwire.Stack.Tcp;

namespace Tapwire.Links.Protocol;

/// <summary>The JSON of sockets, in the answer to <see cref="ListSocketsRequest"/> and in a <see cref="DriverStatus"/>. Fields are only added, never renamed.</summary>
public static class SocketJson
{
    /// <summary>By <see cref="SenderLimit"/>.</summary>
    private static readonly string[] LimitNames = ["application", "handshake", "receiver window", "congestion window", "pacing", "recovery", "timeout", "wire", "small segment", "loss"];

    /// <summary>What "limitedBy" calls it.</summary>
    public static string NameOf(SenderLimit limit) => LimitNames[(int)limit];

    /// <summary>The answer to <see cref="ListSocketsRequest"/>.</summary>
    /// <param name="next">The cursor for the rest; null: there is none.</param>
    public static string Write(IReadOnlyList<ConnectionStatus> sockets, ulong? next)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteStartArray("sockets");
            foreach (var socket in sockets)
                Write(json, socket);
            json.WriteEndArray();
            if (next is { } cursor)
                json.WriteNumber("next", cursor);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    internal static void Write(Utf8JsonWriter json, ConnectionStatus connection)
    {
        json.WriteStartObject();
        json.WriteString("state", connection.State);
        json.WriteString("local", connection.Local.ToString());
        json.WriteString("remote", connection.Remote.Port == 0 ? "" : connection.Remote.ToString());
        json.WriteNumber("sendQueue", connection.SendQueue);
        json.WriteNumber("receiveQueue", connection.ReceiveQueue);
        json.WriteNumber("ageSeconds", Math.Round(connection.Age.TotalSeconds, 3));
        if (connection.Interface.Length > 0)
            json.WriteString("interface", connection.Interface);
        if (connection.Dropped > 0)
            json.WriteNumber("dropped", connection.Dropped);
        if (connection.Owner is { } owner)
        {
            json.WriteStartObject("owner");
            json.WriteString("kind", owner.Kind);
            json.WriteString("name", owner.Name);
            if (owner.Process != 0)
            {
                json.WriteNumber("process", owner.Process);
                json.WriteNumber("user", owner.User);
            }

            json.WriteEndObject();
        }

        if (connection.Tcp is { } tcp)
            Write(json, tcp);
        json.WriteEndObject();
    }

    /// <summary>What ss -i shows of a connection.</summary>
    private static void Write(Utf8JsonWriter json, in TcpInfo tcp)
    {
        json.WriteStartObject("tcp");
        json.WriteString("congestionControl", CongestionAlgorithms.NameOf(tcp.CongestionControl));
        json.WriteNumber("roundTripMicroseconds", (long)tcp.RoundTrip.TotalMicroseconds);
        json.WriteNumber("roundTripVariationMicroseconds", (long)tcp.RoundTripVariation.TotalMicroseconds);
        json.WriteNumber("minRoundTripMicroseconds", (long)tcp.MinRoundTrip.TotalMicroseconds);
        json.WriteNumber("retransmissionTimeoutMicroseconds", (long)tcp.Rto.TotalMicroseconds);
        json.WriteNumber("segmentSize", tcp.SegmentSize);
        json.WriteNumber("congestionWindow", tcp.CongestionWindow);
        if (tcp.SlowStartThreshold != long.MaxValue)
            json.WriteNumber("slowStartThreshold", tcp.SlowStartThreshold);
        json.WriteNumber("bytesInFlight", tcp.BytesInFlight);
        json.WriteNumber("sendWindow", tcp.SendWindow);
        json.WriteNumber("receiveWindow", tcp.ReceiveWindow);
        json.WriteNumber("pacingBytesPerSecond", tcp.PacingRate);
        json.WriteNumber("bytesDelivered", tcp.BytesDelivered);
        json.WriteNumber("bytesReceived", tcp.BytesReceived);
        json.WriteNumber("bytesLost", tcp.BytesLost);
        json.WriteNumber("segmentsSentAgain", tcp.Retransmits);
        json.WriteNumber("timeouts", tcp.Timeouts);
        json.WriteBoolean("reorderingSeen", tcp.ReorderingSeen);
        json.WriteString("limitedBy", NameOf(tcp.Limit));
        json.WriteEndObject();
    }
}
