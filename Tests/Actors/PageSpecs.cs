using System.Globalization;
using System.Text;
using System.Text.Json;
using Tapwire.Actors;
using Tapwire.Actors.Services;
using Tapwire.Actors.Services.Page;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The live page of the http service: its files, its figures, who gets which, and its capture.</summary>
public sealed class PageSpecs() : DriverSetup("serve = [\"http:80\", \"echo:7\"], http.capture-memory = 1MiB")
{
    private const string Right = "0123456789abcdef-right";

    protected override DriverContext Adapted(DriverContext context) => context with
    {
        CaptureDispatcher = VirtualTime.Dispatcher,
        PageToken = PageToken.TryParse(Right, out var token) ? token : null,
    };

    [Fact]
    public void A_browser_gets_the_page_and_curl_its_plain_text()
    {
        var page = Get("/", "Accept: text/html,application/xhtml+xml\r\n");
        Assert.Equal(200, page.Status);
        Assert.Equal("text/html; charset=utf-8", page.Field("Content-Type"));
        Assert.StartsWith("<!doctype html>", page.Text, StringComparison.Ordinal);
        Assert.Contains("default-src 'none'; script-src 'self'", page.Field("Content-Security-Policy"), StringComparison.Ordinal);
        Assert.StartsWith("tapwire\n", Get("/", "Accept: */*\r\n").Text, StringComparison.Ordinal);
        Assert.Equal("Accept", Get("/").Field("Vary"));
    }

    [Fact]
    public void Every_file_that_the_page_names_is_there_and_none_is_elsewhere()
    {
        var page = Get("/", "Accept: text/html\r\n").Text;
        var named = System.Text.RegularExpressions.Regex.Matches(page, "(?:href|src)=\"([^\"#]+)\"").Select(static match => match.Groups[1].Value).ToList();
        Assert.Contains("/page.js", named);
        foreach (var script in named.Where(static name => name.EndsWith(".js", StringComparison.Ordinal)).ToList())
            named.AddRange(ImportsOf(script, []));
        Assert.All(named, name => Assert.Equal(200, Get(name).Status));
        Assert.All(named, name => Assert.DoesNotContain("://", Get(name).Text.Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal), StringComparison.Ordinal));
    }

    [Fact]
    public void Without_the_token_there_are_the_drivers_own_figures_and_nobody_elses()
    {
        using var app = OpenConnected(Listening(8080));
        Run();
        var answer = Get("/status.json");
        Assert.Equal(200, answer.Status);
        Assert.Equal("no-store", answer.Field("Cache-Control"));
        var status = answer.Json;
        Assert.Equal("10.99.0.2/24", status.GetProperty("addresses")[0].GetString());
        Assert.True(status.GetProperty("connectionCount").GetInt32() >= 2);
        Assert.True(status.GetProperty("counters").GetProperty("TcpInSegs").GetInt64() > 0);
        Assert.DoesNotContain("10.99.0.1", answer.Text, StringComparison.Ordinal);
        Assert.Equal(0, status.GetProperty("interfaces")[0].GetProperty("neighbors").GetArrayLength());
        foreach (var path in new[] { "/sockets.json", "/capture.json", "/capture.pcapng" })
        {
            Assert.Equal(401, Get(path).Status);
            Assert.StartsWith("Bearer", Get(path).Field("WWW-Authenticate"), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void With_the_token_there_is_all_that_the_status_has()
    {
        using var app = OpenConnected(Listening(8080));
        var status = Get("/status.json", Shown(Right));
        Assert.Equal(200, status.Status);
        Assert.Equal("10.99.0.1", status.Json.GetProperty("interfaces")[0].GetProperty("neighbors")[0].GetProperty("address").GetString());
        var rows = Get("/sockets.json", Shown(Right)).Json.GetProperty("sockets").EnumerateArray().ToList();
        var row = Assert.Single(rows, static row => row.GetProperty("remote").GetString() == "10.99.0.1:8080");
        Assert.Equal("application", row.GetProperty("owner").GetProperty("kind").GetString());
        Assert.Equal("application", row.GetProperty("tcp").GetProperty("limitedBy").GetString());
        Assert.Contains(rows, static row => row.GetProperty("state").GetString() == "Listen" && row.GetProperty("owner").GetProperty("name").GetString() == "http");
    }

    [Theory]
    [InlineData("wrong-wrong-wrong-wrong")]
    [InlineData("0123456789abcdef-righ")]
    [InlineData("0123456789abcdef-right2")]
    [InlineData("x")]
    public void A_wrong_token_is_refused_and_logged(string token) => EventFilter.Warning(contains: "its token is not the driver's").ExpectOne(() =>
    {
        var answer = Get("/status.json", Shown(token));
        Assert.Equal((401, "That is not the driver's token.\n"), (answer.Status, answer.Text));
    });

    [Fact]
    public void What_changes_something_is_asked_for_by_POST_and_with_the_token_alone()
    {
        Assert.Equal(401, Ask("POST", "/capture/start").Status);
        Assert.Equal((405, "POST"), Get("/capture/start", Shown(Right)) is var got ? (got.Status, got.Field("Allow")) : default);
        // A site that would have a browser send the header asks before, and hears no.
        var preflight = Ask("OPTIONS", "/capture/start", "Origin: http://elsewhere.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n");
        Assert.Equal((405, ""), (preflight.Status, preflight.Field("Access-Control-Allow-Origin")));
        Assert.Equal(413, Ask("POST", "/capture/start", Shown(Right) + "Content-Length: 5\r\n", "hello").Status);
        Assert.Equal("none", State());
    }

    [Fact]
    public void A_capture_begins_has_packets_ends_and_is_given_out()
    {
        Assert.Equal((404, "There is no capture.\n"), Post("/capture/stop") is var none ? (none.Status, none.Text) : default);
        Assert.Equal("running", Post("/capture/start?interface=&host=&port=").Json.GetProperty("state").GetString());
        Assert.Equal(409, Post("/capture/start").Status);
        Assert.Equal(409, Post("/capture/discard").Status);
        var socket = Connect(7);
        Peer.Send(socket, "hello"u8);
        RunUntil(() => Peer.ReceivedCount(socket) == 5);
        var running = Assert.Single(Get("/status.json", Shown(Right)).Json.GetProperty("captures").EnumerateArray());
        Assert.StartsWith("the page of 10.99.0.1:", running.GetProperty("name").GetString(), StringComparison.Ordinal);
        Post("/capture/stop");
        RunUntil(() => State() == "ended");

        var file = Get("/capture.pcapng", Shown(Right));
        Assert.Equal((200, "attachment; filename=\"tapwire.pcapng\""), (file.Status, file.Field("Content-Disposition")));
        var packets = PcapngFile.Read(file.Bytes).Packets;
        Assert.Contains(packets, static packet => packet.Data.AsSpan().IndexOf("hello"u8) > 0);
        // The token, above all, is in none of them.
        Assert.DoesNotContain(packets, static packet => packet.Data.AsSpan().IndexOf("Authorization"u8) > 0);

        Assert.Equal("none", Post("/capture/discard").Json.GetProperty("state").GetString());
        Assert.Equal(404, Get("/capture.pcapng", Shown(Right)).Status);
    }

    [Theory]
    [InlineData("host=nobody", "The host is no address, as in 10.99.0.1 or fd00::1.\n")]
    [InlineData("port=0", "The port is none of 1 to 65535.\n")]
    [InlineData("port=http", "The port is none of 1 to 65535.\n")]
    public void A_capture_of_what_is_nonsense_is_refused(string query, string reason)
    {
        var answer = Post($"/capture/start?{query}");
        Assert.Equal((400, reason), (answer.Status, answer.Text));
        Assert.Equal("none", State());
    }

    [Fact]
    public void A_capture_of_an_interface_that_is_not_there_is_refused_by_the_driver()
    {
        var answer = Post("/capture/start?interface=nowhere");
        Assert.Equal(409, answer.Status);
        Assert.Contains("The driver has no interface nowhere; it has tw0.", answer.Text, StringComparison.Ordinal);
        Assert.Equal("none", State());
    }

    [Fact]
    public void A_capture_filters_by_host_and_port()
    {
        Post("/capture/start?interface=tw0&host=10.99.0.1&port=7");
        Peer.Send(Connect(7), "wanted"u8);
        using var app = OpenConnected(Listening(8080));
        app.Write("not wanted"u8);
        Run();
        Post("/capture/stop");
        RunUntil(() => State() == "ended");
        var packets = PcapngFile.Read(Get("/capture.pcapng", Shown(Right)).Bytes).Packets;
        Assert.Contains(packets, static packet => packet.Data.AsSpan().IndexOf("wanted"u8) > 0);
        Assert.DoesNotContain(packets, static packet => packet.Data.AsSpan().IndexOf("not wanted"u8) > 0);
    }

    [Fact]
    public void A_capture_that_is_full_ends_and_what_it_has_is_whole()
    {
        Post("/capture/start");
        var socket = Connect(7);
        for (var i = 0; i < 60; i++)
        {
            Peer.Send(socket, new byte[30_000]);
            RunUntil(() => Peer.ReceivedCount(socket) == (i + 1) * 30_000);
        }

        RunUntil(() => State() == "ended");
        var state = Get("/capture.json", Shown(Right)).Json;
        Assert.True(state.GetProperty("full").GetBoolean());
        Assert.InRange(state.GetProperty("bytes").GetInt64(), 800_000, 1 << 20);
        Assert.NotEmpty(PcapngFile.Read(Get("/capture.pcapng", Shown(Right)).Bytes).Packets);
    }

    [Fact]
    public void A_capture_that_nobody_ends_ends()
    {
        Post("/capture/start");
        Advance(PageCaptures.Longest + TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        RunUntil(() => State() == "ended");
    }

    [Fact]
    public void However_many_look_the_driver_is_asked_once_for_a_while()
    {
        var first = Get("/status.json", Shown(Right)).Json.GetProperty("uptimeSeconds").GetDouble();
        Assert.Equal(first, Get("/status.json").Json.GetProperty("uptimeSeconds").GetDouble());
        Advance(PageActor.Fresh + TimeSpan.FromMilliseconds(10));
        Assert.True(Get("/status.json").Json.GetProperty("uptimeSeconds").GetDouble() > first);
    }

    [Fact]
    public void A_connection_that_does_nothing_ends()
    {
        var socket = Connect(80);
        Advance(HttpActor.IdleLooks * HttpActor.LookEvery - TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
        Assert.DoesNotContain(socket, Peer.EndOfStream);
        Advance(TimeSpan.FromSeconds(2));
        Assert.Contains(socket, Peer.EndOfStream);
    }

    [Fact]
    public void A_request_that_comes_in_drops_is_given_up_however_many_come()
    {
        var socket = Connect(80);
        for (var i = 0; i < 40 && !Peer.EndOfStream.Contains(socket); i++)
        {
            Peer.Send(socket, "G"u8);
            Advance(TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100));
        }

        Assert.StartsWith("HTTP/1.1 408 Request Timeout\r\n", Encoding.ASCII.GetString(Peer.Received(socket)), StringComparison.Ordinal);
        Assert.Contains(socket, Peer.EndOfStream);
    }

    [Fact]
    public void A_client_that_does_not_take_its_answer_is_reset()
    {
        Post("/capture/start");
        var echo = Connect(7);
        for (var i = 0; i < 25; i++)
        {
            Peer.Send(echo, new byte[30_000]);
            RunUntil(() => Peer.ReceivedCount(echo) == (i + 1) * 30_000);
        }

        Post("/capture/stop");
        RunUntil(() => State() == "ended");
        var socket = Connect(80);
        Peer.NotReading.Add(socket);
        // More than a peer keeps for a program that does not read.
        Peer.Send(socket, Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"GET /capture.pcapng HTTP/1.1\r\n{Shown(Right)}\r\n", 40))));
        Assert.True(SpinWait.SpinUntil(() =>
        {
            Run();
            return StackStatus().Connections.Any(each => each.Remote == socket.Local && each.SendQueue > 100_000);
        }, TimeSpan.FromSeconds(20)));
        Advance((HttpActor.IdleLooks + 2) * HttpActor.LookEvery, TimeSpan.FromSeconds(1));
        Assert.Contains(socket, Peer.Ended);
        Assert.Equal(StackError.ConnectionReset, socket.Error);
    }

    private IEnumerable<string> ImportsOf(string script, HashSet<string> seen)
    {
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(Get(script).Text, "from '\\./([^']+)'"))
        {
            var name = $"/{match.Groups[1].Value}";
            if (!seen.Add(name))
                continue;
            yield return name;
            foreach (var further in ImportsOf(name, seen))
                yield return further;
        }
    }

    private ushort Listening(ushort port)
    {
        Peer.Listen(port);
        return port;
    }

    private static string Shown(string token) => $"Authorization: Bearer {token}\r\n";

    private string? State() => Get("/capture.json", Shown(Right)).Json.GetProperty("state").GetString();

    private Answer Get(string path, string fields = "") => Ask("GET", path, fields);

    private Answer Post(string path) => Ask("POST", path, Shown(Right) + "Content-Length: 0\r\n");

    /// <summary>Each request has a connection of its own, and is answered in real time where the answer goes by the thread pool.</summary>
    private Answer Ask(string method, string path, string fields = "", string body = "")
    {
        var socket = Connect(80);
        Peer.Send(socket, Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: tapwire\r\n{fields}Connection: close\r\n\r\n{body}"));
        Assert.True(SpinWait.SpinUntil(() =>
        {
            Run();
            return Peer.EndOfStream.Contains(socket);
        }, TimeSpan.FromSeconds(20)), $"{method} {path} is not answered.");
        socket.Close(Peer.Now);
        Run();
        return new Answer(Peer.Received(socket));
    }

    private TcpSocket Connect(ushort port)
    {
        var socket = Peer.Connect(port);
        RunUntil(() =>
        {
            Assert.True(socket.State is TcpState.SynSent or TcpState.Established, $"The connection is {socket.State}.");
            return socket.State == TcpState.Established;
        });
        return socket;
    }

    private sealed class Answer
    {
        private readonly string[] _head;

        public Answer(byte[] bytes)
        {
            var end = bytes.AsSpan().IndexOf("\r\n\r\n"u8);
            _head = Encoding.ASCII.GetString(bytes.AsSpan(0, end)).Split("\r\n");
            Bytes = bytes[(end + 4)..];
            Status = int.Parse(_head[0].Split(' ')[1], CultureInfo.InvariantCulture);
            Assert.Equal(Field("Content-Length"), Bytes.Length.ToString(CultureInfo.InvariantCulture));
        }

        public int Status { get; }

        public byte[] Bytes { get; }

        public string Text => Encoding.UTF8.GetString(Bytes);

        public JsonElement Json => JsonDocument.Parse(Bytes).RootElement;

        public string Field(string name) => Array.Find(_head, line => line.StartsWith($"{name}: ", StringComparison.Ordinal)) is { } line ? line[(name.Length + 2)..] : "";
    }
}
