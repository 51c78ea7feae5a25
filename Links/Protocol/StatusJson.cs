using System.Buffers;
using System.Text;
using System.Text.Json;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>
/// The JSON of a <see cref="DriverStatus"/>: the text in the answer to <see cref="StatusRequest"/>, which <c>tapwire status --json</c> prints. Fields are only added,
/// never renamed.
/// </summary>
public static class StatusJson
{
    public static string Write(DriverStatus driver)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("uptimeSeconds", Math.Round(driver.Uptime.TotalSeconds, 3));
            if (driver.Process != 0)
                json.WriteNumber("process", driver.Process);
            // From when there was one interface.
            WriteWire(json, driver.Interfaces[0].Wire);
            WriteAddresses(json, driver.Addresses());
            WriteInterfaces(json, driver.Interfaces);
            json.WriteStartObject("link");
            json.WriteNumber("sessions", driver.Sessions);
            json.WriteNumber("sockets", driver.Sockets);
            json.WriteEndObject();
            WritePorts(json, driver.Ports);
            WriteGuests(json, driver.Guests);
            WriteCaptures(json, driver.Captures);
            if (driver.Names is { } names)
                Write(json, names);
            json.WriteNumber("connectionCount", driver.ConnectionCount);
            json.WriteStartArray("connections");
            foreach (var connection in driver.Connections)
                SocketJson.Write(json, connection);
            json.WriteEndArray();
            json.WriteStartObject("limits");
            foreach (var (limit, count) in driver.Limits)
                json.WriteNumber(SocketJson.NameOf(limit), count);
            json.WriteEndObject();
            WriteProblems(json, StatusProblem.AllOf(driver));
            json.WriteNumber("buffersRented", driver.BuffersRented);
            json.WriteStartObject("counters");
            foreach (var (name, value) in driver.Counters)
                json.WriteNumber(name, value);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteProblems(Utf8JsonWriter json, IReadOnlyList<StatusProblem> problems)
    {
        json.WriteStartArray("problems");
        foreach (var problem in problems)
        {
            json.WriteStartObject();
            json.WriteString("cause", problem.Cause);
            json.WriteString("subject", problem.Subject);
            json.WriteString("text", problem.Text);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WritePorts(Utf8JsonWriter json, IReadOnlyList<PortStatus> ports)
    {
        json.WriteStartArray("ports");
        foreach (var port in ports)
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

    private static void WriteCaptures(Utf8JsonWriter json, IReadOnlyList<CaptureStatus> captures)
    {
        json.WriteStartArray("captures");
        foreach (var capture in captures)
        {
            json.WriteStartObject();
            json.WriteString("name", capture.Name);
            json.WriteString("interface", capture.Interface);
            json.WriteBoolean("outer", capture.Outer);
            json.WriteString("host", capture.Host?.ToString() ?? "");
            json.WriteNumber("port", capture.Port);
            json.WriteNumber("snapLength", capture.SnapLength);
            json.WriteNumber("count", capture.Count);
            json.WriteNumber("packets", capture.Packets);
            json.WriteNumber("dropped", capture.Dropped);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteGuests(Utf8JsonWriter json, IReadOnlyList<GuestStatus> guests)
    {
        json.WriteStartArray("guests");
        foreach (var guest in guests)
        {
            json.WriteStartObject();
            // For readers that know one address only.
            json.WriteString("address", guest.Addresses.All[0].ToString());
            WriteTexts(json, "addresses", guest.Addresses.All.Select(static address => address.ToString()));
            json.WriteNumber("process", guest.Process);
            WriteWire(json, guest.Wire);
            WriteTexts(json, "published", guest.Published);
            json.WriteNumber("connections", guest.Connections);
            json.WriteNumber("accepted", guest.Accepted);
            json.WriteNumber("refused", guest.Refused);
            json.WriteNumber("flows", guest.Flows);
            json.WriteNumber("flowsAccepted", guest.FlowsAccepted);
            json.WriteNumber("datagramsDropped", guest.DatagramsDropped);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, NamesStatus names)
    {
        json.WriteStartObject("names");
        WriteTexts(json, "servers", names.Servers);
        WriteTexts(json, "search", names.Search);
        json.WriteNumber("queries", names.Queries);
        json.WriteNumber("answers", names.Answers);
        json.WriteNumber("fromCache", names.FromCache);
        json.WriteNumber("timeOuts", names.TimeOuts);
        json.WriteNumber("busy", names.Busy);
        json.WriteNumber("cached", names.Cached);
        json.WriteStartObject("refused");
        foreach (var (reason, count) in names.Refused)
            json.WriteNumber(reason, count);
        json.WriteEndObject();
        if (names.Multicast is { } multicast)
            Write(json, multicast);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, MulticastNamesStatus multicast)
    {
        json.WriteStartObject("multicast");
        json.WriteStartArray("links");
        foreach (var link in multicast.Links)
        {
            json.WriteStartObject();
            json.WriteString("interface", link.Interface);
            json.WriteString("state", link.State);
            json.WriteString("name", link.Name);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("sent", multicast.Sent);
        json.WriteNumber("received", multicast.Received);
        json.WriteNumber("asked", multicast.Asked);
        json.WriteNumber("answered", multicast.Answered);
        json.WriteNumber("fromCache", multicast.FromCache);
        json.WriteNumber("timeOuts", multicast.TimedOut);
        json.WriteNumber("conflicts", multicast.Conflicts);
        json.WriteNumber("cached", multicast.Cached);
        json.WriteStartObject("refused");
        foreach (var (reason, count) in multicast.Refused)
            json.WriteNumber(reason, count);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static void WriteInterfaces(Utf8JsonWriter json, IReadOnlyList<InterfaceStatus> interfaces)
    {
        json.WriteStartArray("interfaces");
        foreach (var each in interfaces)
        {
            json.WriteStartObject();
            json.WriteString("name", each.Name);
            WriteWire(json, each.Wire);
            WriteAddresses(json, each.Addresses);
            json.WriteStartArray("neighbors");
            foreach (var (address, hardware, state) in each.Neighbors)
            {
                json.WriteStartObject();
                json.WriteString("address", address.ToString());
                json.WriteString("hardwareAddress", hardware);
                json.WriteString("state", state);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("routes");
            foreach (var route in each.Routes)
            {
                json.WriteStartObject();
                json.WriteString("destination", route.Destination.ToString());
                json.WriteString("gateway", route.Gateway.IsUnspecified ? "" : route.Gateway.ToString());
                json.WriteNumber("metric", route.Metric);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (each.Lease is { } lease)
                Write(json, "dhcp", lease);
            if (each.Lease6 is { } lease6)
                Write(json, "dhcp6", lease6);
            if (each.Served is { } served)
                Write(json, served);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, ServedStatus served)
    {
        json.WriteStartObject("dhcpServer");
        json.WriteStartArray("leases");
        foreach (var lease in served.Leases)
        {
            json.WriteStartObject();
            json.WriteString("address", lease.Address.ToString());
            json.WriteString("hardwareAddress", lease.HardwareAddress);
            json.WriteString("name", lease.Name);
            json.WriteNumber("expiresSeconds", Math.Round(lease.Expires.TotalSeconds, 1));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("received", served.Received);
        json.WriteNumber("sent", served.Sent);
        json.WriteStartObject("dropped");
        foreach (var (reason, count) in served.Dropped)
            json.WriteNumber(reason, count);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, string name, LeaseStatus lease)
    {
        json.WriteStartObject(name);
        json.WriteString("state", lease.State);
        json.WriteString("address", lease.Address?.ToString() ?? "");
        json.WriteString("server", lease.Server?.ToString() ?? "");
        json.WriteBoolean("applied", lease.IsApplied);
        if (lease.Expires is { } expires)
            json.WriteNumber("expiresSeconds", Math.Round(expires.TotalSeconds));
        if (lease.Renews is { } renews)
            json.WriteNumber("renewsSeconds", Math.Round(renews.TotalSeconds));
        json.WriteNumber("sent", lease.Sent);
        json.WriteNumber("received", lease.Received);
        json.WriteStartObject("dropped");
        foreach (var (reason, count) in lease.Dropped)
            json.WriteNumber(char.ToLowerInvariant(reason[0]) + reason[1..], count);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteAddresses(Utf8JsonWriter json, IEnumerable<IpPrefix> addresses) => WriteTexts(json, "addresses", addresses.Select(static address => address.ToString()));

    private static void WriteWire(Utf8JsonWriter json, WireStatus wire)
    {
        json.WriteStartObject("wire");
        json.WriteString("name", wire.Name);
        json.WriteBoolean("up", wire.Up);
        json.WriteNumber("mtu", wire.Mtu);
        json.WriteString("hardwareAddress", wire.HardwareAddress);
        json.WriteString("offloads", wire.Offloads);
        json.WriteNumber("framesReceived", wire.FramesReceived);
        json.WriteNumber("bytesReceived", wire.BytesReceived);
        json.WriteNumber("framesSent", wire.FramesSent);
        json.WriteNumber("bytesSent", wire.BytesSent);
        json.WriteNumber("framesRefused", wire.FramesRefused);
        json.WriteNumber("framesDropped", wire.FramesDropped);
        if (wire.Peers.Count > 0)
            WritePeers(json, wire.Peers);
        if (wire.Counters.Count > 0)
        {
            json.WriteStartObject("counters");
            foreach (var (name, value) in wire.Counters)
                json.WriteNumber(name, value);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WritePeers(Utf8JsonWriter json, IReadOnlyList<PeerStatus> peers)
    {
        json.WriteStartArray("peers");
        foreach (var peer in peers)
        {
            json.WriteStartObject();
            json.WriteString("publicKey", peer.PublicKey);
            json.WriteString("endpoint", peer.Endpoint?.ToString() ?? "");
            json.WriteStartArray("allowedIps");
            foreach (var prefix in peer.AllowedIps)
                json.WriteStringValue(prefix.ToString());
            json.WriteEndArray();
            if (peer.SinceHandshake is { } since)
                json.WriteNumber("latestHandshakeSeconds", Math.Round(since.TotalSeconds, 3));
            if (peer.UnansweredFor is { } unanswered)
                json.WriteNumber("unansweredSeconds", Math.Round(unanswered.TotalSeconds, 3));
            json.WriteNumber("bytesReceived", peer.BytesReceived);
            json.WriteNumber("bytesSent", peer.BytesSent);
            json.WriteNumber("persistentKeepaliveSeconds", (long)peer.PersistentKeepalive.TotalSeconds);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
