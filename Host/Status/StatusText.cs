using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace Tapwire.Host.Status;

/// <summary>A driver's status as text: printed by <c>tapwire status</c>, and by a driver on SIGUSR1.</summary>
internal static class StatusText
{
    /// <summary>Sockets that are printed unless all are asked for: a screen of more says nothing.</summary>
    public const int MostSockets = 1000;

    /// <summary>Prints the status on standard output.</summary>
    /// <param name="json">The driver's answer: docs/status.md.</param>
    public static void Print(string json)
    {
        using var document = JsonDocument.Parse(json);
        var status = document.RootElement;
        var sockets = status.GetProperty("connections").EnumerateArray().Select(SocketRow.Of).ToList();
        PrintSockets(sockets, int.MaxValue, withInfo: false, MostSockets);
        if (sockets.Count > 0)
            Console.WriteLine();
        PrintRest(status);
    }

    /// <summary>Prints sockets, and how many more there are.</summary>
    public static void PrintSockets(IReadOnlyList<SocketRow> rows, int width, bool withInfo, int most)
    {
        foreach (var line in SocketTable.Lines(rows.Count > most ? [.. rows.Take(most)] : rows, width, withInfo))
            Console.WriteLine(line);
        if (rows.Count > most)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"... and {rows.Count - most} more: --all shows them, --state, --port, --process, --program and --address choose among them."));
    }

    /// <summary>What needs attention, in sentences; an older driver does not tell.</summary>
    public static IEnumerable<string> ProblemsOf(JsonElement status) =>
        status.TryGetProperty("problems", out var problems) ? problems.EnumerateArray().Select(static problem => problem.GetProperty("text").GetString()!) : [];

    /// <summary>Prints everything but the sockets.</summary>
    public static void PrintRest(JsonElement status)
    {
        foreach (var problem in ProblemsOf(status))
            Console.WriteLine($"attention    {problem}");
        Console.WriteLine($"up           {TimeSpan.FromSeconds(status.GetProperty("uptimeSeconds").GetDouble()):d\\.hh\\:mm\\:ss}");
        // A driver before 0.14 has one interface. Its properties are at the top level instead of in a list.
        if (status.TryGetProperty("interfaces", out var interfaces))
        {
            foreach (var each in interfaces.EnumerateArray())
                PrintInterface(each);
        }
        else
        {
            PrintInterface(status);
        }

        Console.WriteLine($"link         {status.GetProperty("link").GetProperty("sessions")} sessions, {status.GetProperty("link").GetProperty("sockets")} sockets");
        foreach (var port in status.GetProperty("ports").EnumerateArray())
        {
            Console.WriteLine($"port         {port.GetProperty("name")}: {port.GetProperty("open")} open, {port.GetProperty("accepted")} accepted, "
                + $"{port.GetProperty("refused")} refused, {port.GetProperty("failed")} failed, {port.GetProperty("datagramsDropped")} datagrams dropped");
        }

        // A driver before 0.15 has no guests.
        if (status.TryGetProperty("guests", out var guests))
        {
            foreach (var guest in guests.EnumerateArray())
                PrintGuest(guest);
        }

        // An older driver does not tell of captures.
        if (status.TryGetProperty("captures", out var captures))
        {
            foreach (var capture in captures.EnumerateArray())
                PrintCapture(capture);
        }

        if (status.TryGetProperty("names", out var names))
            PrintNames(names);
        Console.WriteLine($"connections  {status.GetProperty("connectionCount")}");
        Console.WriteLine();
        var counters = new Table().Border(TableBorder.None).AddColumn("counter").AddColumn("value");
        foreach (var counter in status.GetProperty("counters").EnumerateObject())
            counters.AddRow(counter.Name, counter.Value.GetInt64().ToString(CultureInfo.InvariantCulture));
        AnsiConsole.Write(counters);
    }

    private static void PrintCapture(JsonElement capture)
    {
        string[] filter =
        [
            capture.GetProperty("interface").GetString() is { Length: > 0 } on ? on : "all interfaces",
            .. capture.GetProperty("outer").GetBoolean() ? (string[])["outer"] : [],
            .. capture.GetProperty("host").GetString() is { Length: > 0 } host ? (string[])[$"host {host}"] : [],
            .. capture.GetProperty("port").GetInt32() is > 0 and var port ? (string[])[$"port {port}"] : [],
        ];
        Console.WriteLine($"capture      to {capture.GetProperty("name")} of {string.Join(", ", filter)}: {capture.GetProperty("packets")} packets, {capture.GetProperty("dropped")} dropped");
    }

    private static void PrintNames(JsonElement names)
    {
        if (names.TryGetProperty("multicast", out var multicast))
            PrintMulticast(multicast);
        if (names.GetProperty("servers").GetArrayLength() == 0 && names.GetProperty("queries").GetInt64() == 0)
            return;
        var search = string.Join(", ", names.GetProperty("search").EnumerateArray());
        Console.WriteLine($"names        {string.Join(", ", names.GetProperty("servers").EnumerateArray())}{(search.Length == 0 ? "" : $", search {search}")}: {names.GetProperty("queries")} queries, "
            + $"{names.GetProperty("answers")} answers, {names.GetProperty("fromCache")} from the cache, {names.GetProperty("timeOuts")} time-outs, {names.GetProperty("busy")} beyond the limits");
        var refused = names.GetProperty("refused").EnumerateObject().Where(static reason => reason.Value.GetInt64() > 0).ToList();
        if (refused.Count > 0)
            Console.WriteLine($"             refused: {string.Join(", ", refused.Select(static reason => $"{reason.Value} {reason.Name}"))}");
    }

    private static void PrintMulticast(JsonElement multicast)
    {
        foreach (var link in multicast.GetProperty("links").EnumerateArray())
        {
            var name = link.GetProperty("name").GetString();
            Console.WriteLine($"name         {(name is null ? ".local" : name)} on {link.GetProperty("interface")}, {link.GetProperty("state")}");
        }

        Console.WriteLine($"             {multicast.GetProperty("asked")} asked, {multicast.GetProperty("answered")} answered, {multicast.GetProperty("fromCache")} from the cache, "
            + $"{multicast.GetProperty("timeOuts")} time-outs, {multicast.GetProperty("conflicts")} conflicts");
    }

    private static void PrintInterface(JsonElement each)
    {
        var wire = each.GetProperty("wire");
        Console.WriteLine($"wire         {wire.GetProperty("name")} {(wire.GetProperty("up").GetBoolean() ? "up" : "DOWN")}, MTU {wire.GetProperty("mtu")}, offloads {wire.GetProperty("offloads")}");
        Console.WriteLine($"received     {wire.GetProperty("framesReceived")} frames, {wire.GetProperty("bytesReceived")} bytes");
        Console.WriteLine($"sent         {wire.GetProperty("framesSent")} frames, {wire.GetProperty("bytesSent")} bytes");
        Console.WriteLine($"addresses    {string.Join(", ", each.GetProperty("addresses").EnumerateArray())}");
        if (wire.TryGetProperty("peers", out var peers))
        {
            foreach (var peer in peers.EnumerateArray())
                PrintPeer(peer);
        }

        if (wire.TryGetProperty("counters", out var counters))
            Console.WriteLine($"tunnel       {string.Join(", ", counters.EnumerateObject().Select(static counter => $"{counter.Name} {counter.Value}"))}");
        if (!each.TryGetProperty("routes", out var routes))
            return;
        foreach (var route in routes.EnumerateArray().Where(static route => route.GetProperty("gateway").GetString() is { Length: > 0 }))
            Console.WriteLine($"route        {route.GetProperty("destination")} via {route.GetProperty("gateway")}{Commands.RouteCommands.MetricOf(route)}");
        if (each.TryGetProperty("dhcp", out var lease))
            PrintLease("lease        ", lease);
        if (each.TryGetProperty("dhcp6", out var lease6))
            PrintLease("lease (v6)   ", lease6);
        if (each.TryGetProperty("dhcpServer", out var served))
            PrintServed(served);
    }

    private static void PrintServed(JsonElement served)
    {
        foreach (var lease in served.GetProperty("leases").EnumerateArray())
        {
            var name = lease.GetProperty("name").GetString() is { Length: > 0 } text ? $" ({text})" : "";
            Console.WriteLine($"served       {lease.GetProperty("address")} to {lease.GetProperty("hardwareAddress")}{name}, expires in {TimeSpan.FromSeconds(lease.GetProperty("expiresSeconds").GetDouble()):d\\.hh\\:mm\\:ss}");
        }

        Console.WriteLine($"DHCP server  {served.GetProperty("leases").GetArrayLength()} leases, {served.GetProperty("received")} messages received, {served.GetProperty("sent")} sent");
        PrintDropped(served);
    }

    private static void PrintDropped(JsonElement part)
    {
        var dropped = part.GetProperty("dropped").EnumerateObject().ToList();
        if (dropped.Count > 0)
            Console.WriteLine($"             dropped: {string.Join(", ", dropped.Select(static reason => $"{reason.Value} {reason.Name}"))}");
    }

    private static void PrintLease(string title, JsonElement lease)
    {
        var address = lease.GetProperty("address").GetString()!;
        var expires = lease.TryGetProperty("expiresSeconds", out var seconds) ? $", expires in {TimeSpan.FromSeconds(seconds.GetDouble()):d\\.hh\\:mm\\:ss}" : "";
        var server = lease.GetProperty("server").GetString() is { Length: > 0 } by ? $" from {by}" : "";
        Console.WriteLine($"{title}{(address.Length == 0 ? "none" : $"{address}{server}{expires}")}; {lease.GetProperty("state")}, "
            + $"{lease.GetProperty("sent")} messages sent, {lease.GetProperty("received")} received");
        PrintDropped(lease);
    }

    /// <summary>What 'wg show' says of a peer.</summary>
    private static void PrintPeer(JsonElement peer)
    {
        var endpoint = peer.GetProperty("endpoint").GetString();
        Console.WriteLine($"peer         {peer.GetProperty("publicKey")} at {(string.IsNullOrEmpty(endpoint) ? "no address yet" : endpoint)}, allowed IPs {string.Join(", ", peer.GetProperty("allowedIps").EnumerateArray())}");
        var handshake = peer.TryGetProperty("latestHandshakeSeconds", out var since) ? $"latest handshake {Ago(since)} ago" : "no handshake yet";
        var silent = peer.TryGetProperty("unansweredSeconds", out var unanswered) ? $", DOES NOT ANSWER for {Ago(unanswered)}" : "";
        var keepalive = peer.GetProperty("persistentKeepaliveSeconds").GetInt64() is > 0 and var every ? $", keepalive every {every} s" : "";
        Console.WriteLine($"             {handshake}{silent}, {peer.GetProperty("bytesReceived")} bytes received, {peer.GetProperty("bytesSent")} sent{keepalive}");
    }

    private static string Ago(JsonElement seconds) => TimeSpan.FromSeconds(seconds.GetDouble()) is { TotalMinutes: >= 2 } time
        ? time.ToString("d\\.hh\\:mm\\:ss", CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{Math.Round(seconds.GetDouble(), 1)} s");

    private static void PrintGuest(JsonElement guest)
    {
        var wire = guest.GetProperty("wire");
        // The guests of an earlier driver have one address.
        var addresses = guest.TryGetProperty("addresses", out var all) ? string.Join(", ", all.EnumerateArray()) : guest.GetProperty("address").ToString();
        Console.WriteLine($"guest        {addresses}, process {guest.GetProperty("process")}: "
            + $"{guest.GetProperty("connections")} connections, {guest.GetProperty("accepted")} so far, {guest.GetProperty("refused")} refused; "
            + $"{guest.GetProperty("flows")} flows, {guest.GetProperty("flowsAccepted")} so far; {guest.GetProperty("datagramsDropped")} datagrams dropped");
        Console.WriteLine($"             sends {wire.GetProperty("framesReceived")} frames, {wire.GetProperty("bytesReceived")} bytes; "
            + $"receives {wire.GetProperty("framesSent")} frames, {wire.GetProperty("bytesSent")} bytes");
        if (guest.GetProperty("published") is var published && published.GetArrayLength() > 0)
            Console.WriteLine($"             published {string.Join(", ", published.EnumerateArray())}");
    }
}
