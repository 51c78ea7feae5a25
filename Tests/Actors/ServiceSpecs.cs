using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Tapwire.Actors.Services;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>What the driver itself serves: echo, discard, source, http.</summary>
public sealed class ServiceSpecs() : DriverSetup(""""
    serve = ["echo:7", "discard:9", "source:19", "http:80"]
    tcp.max-receive-buffer = 0
    tcp.max-send-buffer = 0
    """")
{
    private const string NotFound = "GET /nowhere HTTP/1.1\r\nHost: tapwire\r\n\r\n";
    private const string Page = "GET / HTTP/1.1\r\nHost: tapwire\r\n\r\n";

    [Fact]
    public void Echo_sends_back_every_byte_and_then_the_end()
    {
        var socket = Connect(7);
        var bytes = new byte[700_001];
        new Random(1).NextBytes(bytes);
        SendAll(socket, bytes);
        socket.ShutdownSend(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Assert.Equal(bytes, Peer.Received(socket));
        RunUntil(() => StackStatus().ConnectionCount == 0);
    }

    [Fact]
    public void Echo_to_a_peer_that_does_not_read_holds_it_back_and_loses_nothing()
    {
        var socket = Connect(7);
        Peer.NotReading.Add(socket);
        var bytes = new byte[6 << 20];
        new Random(2).NextBytes(bytes);
        var sent = 0;
        for (var rounds = 0; rounds < 200; rounds++)
        {
            sent += SendWhatFits(socket, bytes.AsSpan(sent));
            Advance(TimeSpan.FromMilliseconds(20));
        }

        Assert.True(sent < bytes.Length, "The peer was never held back.");
        Peer.NotReading.Clear();
        Peer.ReadAll(socket);
        RunUntil(() =>
        {
            sent += SendWhatFits(socket, bytes.AsSpan(sent));
            return Peer.ReceivedCount(socket) == bytes.Length;
        });
        Assert.Equal(bytes, Peer.Received(socket));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_connection_that_echoes_a_byte_takes_three_frames_with_the_acknowledgements_on_them(bool dataWithHandshake)
    {
        // So that neither end has to ask for the other's hardware address.
        Connect(9).Abort(Peer.Now);
        Run();
        var before = StackStatus().Counters["OutFrames"];

        var socket = Peer.Connect(7);
        if (!dataWithHandshake)
            RunUntil(() => socket.State == TcpState.Established);
        Peer.Send(socket, [42]);
        RunUntil(() => Peer.ReceivedCount(socket) == 1);
        Assert.Equal(0, Peer.Stack.Counters.Tcp.TcpRetransSegs);
        socket.Close(Peer.Now);
        RunUntil(() => StackStatus().ConnectionCount == 0);
        Assert.Equal(3, StackStatus().Counters["OutFrames"] - before);
    }

    [Fact]
    public void Discard_takes_everything_says_nothing_and_ends_when_the_peer_does()
    {
        var socket = Connect(9);
        SendAll(socket, new byte[3 << 20]);
        socket.ShutdownSend(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Assert.Empty(Peer.Received(socket));
    }

    [Fact]
    public void Source_counts_in_words_and_stops_when_the_peer_closes()
    {
        var socket = ConnectToSource();
        while (Peer.ReceivedCount(socket) < 3 << 20)
        {
            Peer.ReadAll(socket);
            Run();
        }

        var received = Peer.Received(socket);
        for (var at = 0; at + 8 <= received.Length; at += 8)
            Assert.Equal((ulong)at / 8 % 32768, BinaryPrimitives.ReadUInt64LittleEndian(received.AsSpan(at)));
        socket.Close(Peer.Now);
        RunUntil(() => StackStatus().ConnectionCount == 0);
    }

    [Fact]
    public void Source_sends_no_more_than_a_peer_that_does_not_read_has_room_for()
    {
        ConnectToSource();
        Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(Pool.Rented, 1, 2 * Settings.Tcp.SendBuffer / 2048);
    }

    [Fact]
    public void A_peer_that_resets_leaves_nothing_behind()
    {
        foreach (var port in new ushort[] { 7, 9, 19, 80 })
        {
            var socket = port == 19 ? ConnectToSource() : Connect(port);
            Run();
            socket.Abort(Peer.Now);
            Run();
        }

        Assert.Equal(0, StackStatus().ConnectionCount);
        Assert.Equal(0, Pool.Rented);
    }

    [Fact]
    public void When_the_driver_stops_services_end_their_connections_in_order()
    {
        var echo = Connect(7);
        var http = Connect(80);
        Run();
        StopDriver();
        Assert.Contains(echo, Peer.EndOfStream);
        Assert.Contains(http, Peer.EndOfStream);
    }

    [Fact]
    public void Http_answers_GET_with_a_page_and_keeps_the_connection()
    {
        var socket = Connect(80);
        var (head, body) = Request(socket, Page);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", head, StringComparison.Ordinal);
        Assert.Contains("Connection: keep-alive", head, StringComparison.Ordinal);
        Assert.StartsWith("tapwire\n", body, StringComparison.Ordinal);
        Assert.Contains($"you are      {socket.Local}", body, StringComparison.Ordinal);
        Assert.Contains("addresses    10.99.0.2/24", body, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", Request(socket, Page).Head, StringComparison.Ordinal);
        Assert.DoesNotContain(socket, Peer.EndOfStream);
    }

    [Fact]
    public void Http_answers_HEAD_with_the_header_of_the_page_alone()
    {
        var socket = Connect(80);
        Send(socket, Page.Replace("GET", "HEAD", StringComparison.Ordinal));
        Await(() => Text(socket).EndsWith("\r\n\r\n", StringComparison.Ordinal));
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", Text(socket), StringComparison.Ordinal);
        Assert.True(LengthIn(Text(socket)) > 0);

        // The next answer begins right after it.
        var before = Text(socket).Length;
        Send(socket, NotFound);
        Run();
        Assert.StartsWith("HTTP/1.1 404 Not Found\r\n", Text(socket)[before..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", true)]
    [InlineData("hello\r\n\r\n", "HTTP/1.1 400 Bad Request", true)]
    [InlineData("GET / HTTP/3.0\r\n\r\n", "HTTP/1.1 400 Bad Request", true)]
    [InlineData("GET  / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request", true)]
    [InlineData("GET /x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found", false)]
    [InlineData("\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found", false)]
    [InlineData("GET /x HTTP/1.1\r\nHost: x\r\nconnection: Close\r\n\r\n", "HTTP/1.1 404 Not Found", true)]
    [InlineData("GET /x HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found", true)]
    [InlineData("GET /x HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "HTTP/1.1 404 Not Found", false)]
    public void Http_refuses_with_a_reason_and_closes_when_it_must(string request, string status, bool closes)
    {
        var socket = Connect(80);
        Send(socket, request);
        Run();
        Assert.StartsWith(status + "\r\n", Text(socket), StringComparison.Ordinal);
        Assert.Contains(closes ? "Connection: close\r\n" : "Connection: keep-alive\r\n", Text(socket), StringComparison.Ordinal);
        Assert.Equal(closes, Peer.EndOfStream.Contains(socket));
    }

    [Fact]
    public void Http_says_which_methods_are_allowed()
    {
        var socket = Connect(80);
        Send(socket, "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n");
        Run();
        Assert.Contains("\r\nAllow: GET, HEAD\r\n", Text(socket), StringComparison.Ordinal);
    }

    [Fact]
    public void Http_refuses_a_request_that_is_too_long_and_takes_one_that_just_fits()
    {
        var padding = new string('x', HttpActor.MaxHead - "GET /nowhere HTTP/1.1\r\nX: \r\n\r\n".Length);
        var fits = Connect(80);
        Send(fits, $"GET /nowhere HTTP/1.1\r\nX: {padding}\r\n\r\n");
        Run();
        Assert.StartsWith("HTTP/1.1 404", Text(fits), StringComparison.Ordinal);
        var tooLong = Connect(80);
        Send(tooLong, $"GET /nowhere HTTP/1.1\r\nX: {padding}xx\r\n\r\n");
        Run();
        Assert.StartsWith("HTTP/1.1 431 Request Header Fields Too Large\r\n", Text(tooLong), StringComparison.Ordinal);
        Assert.Contains(tooLong, Peer.EndOfStream);
    }

    [Fact]
    public void Http_answers_requests_that_come_together_in_their_order()
    {
        var socket = Connect(80);
        Send(socket, NotFound.Replace("nowhere", "first", StringComparison.Ordinal) + Page + NotFound.Replace("nowhere", "last", StringComparison.Ordinal));
        Await(() => Text(socket).Contains("/last", StringComparison.Ordinal));
        var text = Text(socket);
        int[] places = [text.IndexOf("/first", StringComparison.Ordinal), text.IndexOf("200 OK", StringComparison.Ordinal), text.IndexOf("/last", StringComparison.Ordinal)];
        Assert.Equal(places.Order(), places);
        Assert.DoesNotContain(-1, places);
    }

    [Fact]
    public void Http_answers_many_small_requests_at_once_though_together_they_are_longer_than_one_may_be()
    {
        const int Count = 1000;
        var socket = Connect(80);
        Send(socket, string.Concat(Enumerable.Repeat(NotFound, Count)));
        RunUntil(() => Occurrences(Text(socket), "HTTP/1.1 404") == Count, TimeSpan.FromSeconds(10));
        Assert.DoesNotContain("431", Text(socket), StringComparison.Ordinal);
    }

    [Fact]
    public void Http_answers_a_half_closed_client_everything_it_has_asked()
    {
        var socket = Connect(80);
        Send(socket, Page + Page + NotFound);
        socket.ShutdownSend(Peer.Now);
        Await(() => Peer.EndOfStream.Contains(socket));
        Assert.Equal(2, Occurrences(Text(socket), "HTTP/1.1 200 OK"));
        Assert.Equal(1, Occurrences(Text(socket), "HTTP/1.1 404 Not Found"));
    }

    [Fact]
    public void Http_takes_a_request_in_two_pieces_wherever_it_is_cut()
    {
        var socket = Connect(80);
        for (var cut = 1; cut < NotFound.Length; cut++)
        {
            Send(socket, NotFound[..cut]);
            Run();
            Assert.Equal(cut - 1, Occurrences(Text(socket), "HTTP/1.1 404"));
            Send(socket, NotFound[cut..]);
            RunUntil(() => Occurrences(Text(socket), "HTTP/1.1 404") == cut);
        }
    }

    private static int Occurrences(string text, string part) => text.Split(part).Length - 1;

    private static int LengthIn(string head)
    {
        var line = head.Split("\r\n").Single(field => field.StartsWith("Content-Length: ", StringComparison.Ordinal));
        return int.Parse(line["Content-Length: ".Length..], CultureInfo.InvariantCulture);
    }

    private TcpSocket Connect(ushort port)
    {
        var socket = Peer.Connect(port);
        RunUntil(() => socket.State == TcpState.Established);
        return socket;
    }

    /// <summary>It would send for ever, in no time: the peer reads by hand.</summary>
    private TcpSocket ConnectToSource()
    {
        var socket = Peer.Connect(19);
        Peer.NotReading.Add(socket);
        RunUntil(() => socket.State == TcpState.Established);
        return socket;
    }

    private string Text(TcpSocket socket) => Encoding.UTF8.GetString(Peer.Received(socket));

    private void Send(TcpSocket socket, string text)
    {
        for (var bytes = Encoding.ASCII.GetBytes(text).AsSpan(); bytes.Length > 0;)
        {
            var count = Math.Min(bytes.Length, 60_000);
            Peer.Send(socket, bytes[..count]);
            bytes = bytes[count..];
        }
    }

    private int SendWhatFits(TcpSocket socket, ReadOnlySpan<byte> bytes)
    {
        var sent = 0;
        while (sent < bytes.Length && socket.SendRoom >= 60_000)
        {
            var count = Math.Min(bytes.Length - sent, 60_000);
            Peer.Send(socket, bytes.Slice(sent, count));
            sent += count;
        }

        return sent;
    }

    private void SendAll(TcpSocket socket, byte[] bytes)
    {
        var sent = 0;
        RunUntil(() => (sent += SendWhatFits(socket, bytes.AsSpan(sent))) == bytes.Length);
    }

    /// <summary>One request whose answer has a body.</summary>
    private (string Head, string Body) Request(TcpSocket socket, string request)
    {
        var before = Text(socket).Length;
        Send(socket, request);
        string[] parts = [];
        Await(() => (parts = Text(socket)[before..].Split("\r\n\r\n", 2)) is [var head, var body] && body.Length == LengthIn(head));
        return (parts[0], parts[1]);
    }

    /// <summary>A page is made of what the stack answers to an Ask, which goes on in a task: soon, and not in virtual time.</summary>
    private void Await(Func<bool> condition) => Assert.True(
        SpinWait.SpinUntil(
            () =>
            {
                Run();
                return condition();
            },
            TimeSpan.FromSeconds(20)),
        "The answer does not come.");
}
