using System.Buffers;
using System.Text;
using System.Text.Json;
using Tapwire.Messages;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Link;

/// <summary>The driver's state as JSON: what <c>tapwire status --json</c> prints. Fields are only added, never renamed.</summary>
internal static class StatusJson
{
    public static string Write(StackStatus stack, TapStatus tap, int sessions, int sockets, ProxyStatus proxy)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("uptimeSeconds", Math.Round(stack.Uptime.TotalSeconds, 3));
            WriteWire(json, tap);
            json.WriteStartArray("addresses");
            foreach (var address in stack.Addresses)
                json.WriteStringValue(address.ToString());
            json.WriteEndArray();
            json.WriteStartObject("link");
            json.WriteNumber("sessions", sessions);
            json.WriteNumber("sockets", sockets);
            json.WriteEndObject();
            WriteProxy(json, proxy);
            json.WriteNumber("connectionCount", stack.ConnectionCount);
            json.WriteStartArray("connections");
            foreach (var connection in stack.Connections)
            {
                json.WriteStartObject();
                json.WriteString("state", connection.State);
                json.WriteString("local", connection.Local.ToString());
                json.WriteString("remote", connection.Remote.Port == 0 ? "" : connection.Remote.ToString());
                json.WriteNumber("sendQueue", connection.SendQueue);
                json.WriteNumber("receiveQueue", connection.ReceiveQueue);
                if (connection.Tcp is { } tcp)
                    Write(json, tcp);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber("buffersRented", stack.BuffersRented);
            json.WriteStartObject("counters");
            foreach (var (name, value) in stack.Counters)
                json.WriteNumber(name, value);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteProxy(Utf8JsonWriter json, ProxyStatus proxy)
    {
        json.WriteStartArray("ports");
        foreach (var port in proxy.Ports)
        {
            json.WriteStartObject();
            json.WriteString("name", port.Name);
            json.WriteNumber("open", port.Open);
            json.WriteNumber("accepted", port.Accepted);
            json.WriteNumber("refused", port.Refused);
            json.WriteNumber("failed", port.Failed);
            json.WriteNumber("datagramsDropped", port.DatagramsDropped);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteWire(Utf8JsonWriter json, TapStatus tap)
    {
        json.WriteStartObject("wire");
        json.WriteString("name", tap.Name);
        json.WriteBoolean("up", tap.Up);
        json.WriteNumber("mtu", tap.Mtu);
        json.WriteString("hardwareAddress", tap.HardwareAddress);
        json.WriteString("offloads", tap.Offloads);
        json.WriteNumber("framesReceived", tap.FramesReceived);
        json.WriteNumber("bytesReceived", tap.BytesReceived);
        json.WriteNumber("framesSent", tap.FramesSent);
        json.WriteNumber("bytesSent", tap.BytesSent);
        json.WriteNumber("framesRefused", tap.FramesRefused);
        json.WriteNumber("framesDropped", tap.FramesDropped);
        json.WriteEndObject();
    }

    /// <summary>What ss -i shows of a connection.</summary>
    private static void Write(Utf8JsonWriter json, in TcpInfo tcp)
    {
        json.WriteStartObject("tcp");
        json.WriteString("congestionControl", CongestionAlgorithms.NameOf(tcp.CongestionControl));
        json.WriteNumber("roundTripMicroseconds", (long)tcp.RoundTrip.TotalMicroseconds);
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
        json.WriteNumber("bytesLost", tcp.BytesLost);
        json.WriteNumber("segmentsSentAgain", tcp.Retransmits);
        json.WriteBoolean("reorderingSeen", tcp.ReorderingSeen);
        json.WriteEndObject();
    }
}
