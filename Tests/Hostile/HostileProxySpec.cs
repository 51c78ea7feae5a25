using System.Net;
using System.Net.Sockets;
using System.Text;
using Akka.TestKit;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Proxy;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Links;
using Xunit;
using TcpListener = Tapwire.Stack.Tcp.TcpListener;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// A whole driver in virtual time with a SOCKS port and a forwarded one, real ones on loopback, whose clients do what they should not: handshakes changed, cut,
/// glued, byte by byte and without end, urgent bytes, answers unread, ends and resets at every byte, datagrams of chance from right and wrong sources. Whoever is
/// not served is answered or closed in the time that the settings give; no actor fails, no descriptor stays behind, and honest clients do not notice.
/// Every spec ends with the driver's orderly stop, after which no buffer is missing.
/// </summary>
[Collection(nameof(LinkLeakSpecs))]
public sealed class HostileProxySpec : ProxySetup
{
    private const int Clients = 12;

    /// <summary>Rounds in which only datagrams of others are wrong, so that each is a counted drop; in as many more, the association's client sends rubbish, too.</summary>
    private const int ForeignRounds = 400;

    /// <summary>How long the proxy lets a client that it has refused read why.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly TestProbe _faults;
    private readonly List<TcpListener> _listeners = [];
    private readonly List<TcpSocket> _accepted = [];
    private byte _token;

    public HostileProxySpec()
        : base("proxy { max-connections = 512, max-flows = 16 }")
    {
        _faults = CreateTestProbe("faults");
        Sys.EventStream.Subscribe(_faults, typeof(Akka.Event.Error));
        _listeners.Add(Peer.Listen(80, 256));
        _listeners.Add(Peer.Listen(81, 256));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Whatever_comes_to_the_proxy_is_answered_or_ends_its_session_alone(int seed)
    {
        var random = new SeededRandom((ulong)seed);
        using var honest = Socks();
        Assert.Equal([5, 0, 5, 0], honest.Ask([1, 10, 99, 0, 1, 0, 80]));
        var own = Exchange(honest);
        var before = SocketsOfProcess();
        Play(random, 1000, () =>
        {
            Exchange(honest, own);
            Greet(random.Next(4));
        });
        Assert.Equal(before, SocketsOfProcess());
        Assert.Equal((1, 0), (Open("socks"), Open("forward tcp")));
        Assert.Equal(1, StackStatus().ConnectionCount);
        AssertNoFault();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_may_go_after_every_byte_of_its_handshake(bool isReset)
    {
        Greet(0);
        var (idle, before) = (Reactor.Count, SocketsOfProcess());
        foreach (var whole in HostileHandshakes.Whole)
        {
            for (var length = 0; length <= whole.Length; length++)
            {
                var client = new HostileProxyClient(SocksEnd, Peer.Now, isForwarded: false);
                client.Send(whole.AsSpan(0, length));
                Run();
                if (isReset)
                    client.Reset();
                else
                    client.Dispose();
                Run();

                // One whose request is carried out may have said its last word before the answer; only a reset tells that it does not want one.
                if (!isReset && length == whole.Length)
                    Settle();
                for (var i = 0; i < 10 && Reactor.Count != idle; i++)
                    Advance(TimeSpan.FromMilliseconds(100));
                Assert.True(Reactor.Count == idle, $"{Reactor.Count} descriptors, not {idle}, are watched after {length} of {whole.Length} bytes of {Convert.ToHexString(whole)}.");
            }

            Greet(1);
        }

        Settle();
        Assert.Equal(0, Open("socks"));
        Assert.Equal(before, SocketsOfProcess());
        AssertNoFault();
    }

    [Fact]
    public void A_client_that_stops_at_any_byte_of_its_handshake_or_never_comes_to_its_end_is_closed_in_time()
    {
        var before = SocketsOfProcess();
        var clients = new List<HostileProxyClient>();
        foreach (var whole in HostileHandshakes.Whole)
        {
            for (var length = 0; length < whole.Length; length++)
            {
                clients.Add(new HostileProxyClient(SocksEnd, Peer.Now, isForwarded: false));
                clients[^1].Send(whole.AsSpan(0, length));
            }
        }

        var endless = new HostileProxyClient(SocksEnd, Peer.Now, isForwarded: false);
        clients.Add(endless);
        endless.Send("CONNECT peer:81 HTTP/1.1\r\nX: "u8);
        Run();
        Assert.Equal(clients.Count, Open("socks"));
        for (var i = 0; i < 28; i++)
        {
            endless.Send("y"u8);
            Advance(Second, Second);
        }

        Assert.All(clients, client => client.ReadAll());
        Assert.DoesNotContain(clients, client => client.HasEnded);
        Greet(2);
        Advance(Settings.Proxy.HandshakeTimeout - TimeSpan.FromSeconds(27), Second);
        Assert.All(clients, client => client.ReadAll());
        Assert.All(clients, client => Assert.True(client.HasEnded));
        Settle();
        Assert.Equal(0, Open("socks"));
        clients.ForEach(client => client.Dispose());
        Assert.Equal(before, SocketsOfProcess());
        AssertNoFault();
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, true)]
    public void Only_an_associations_own_client_is_relayed_whatever_is_sent_to_it(int seed, bool saysItsPort)
    {
        var random = new SeededRandom((ulong)seed);
        var handshakes = new HostileHandshakes(random);
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 7), new UdpSocketOptions(), out var echo));
        var before = SocketsOfProcess();
        using (var client = Socks())
        using (var own = Datagrams("127.0.0.1"))
        using (var neighbour = Datagrams("127.0.0.1"))
        using (var stranger = Datagrams("127.0.0.2"))
        {
            var port = saysItsPort ? ((IPEndPoint)own.LocalEndPoint!).Port : 0;
            client.Send([5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, (byte)(port >> 8), (byte)port]);
            var reply = client.Read();
            Assert.Equal([5, 0, 5, 0], reply[..4]);
            var relay = new IPEndPoint(IPAddress.Loopback, (reply[^2] << 8) | reply[^1]);

            // What is dropped does not make its sender the association's client.
            neighbour.SendTo([0, 0, 1, 1, 10, 99, 0, 1, 0, 7], relay);
            Run();
            for (var round = 0; round < 2 * ForeignRounds; round++)
            {
                byte[] datagram = [0, 0, 0, 1, 10, 99, 0, 1, 0, 7, .. "own"u8, (byte)round];
                own.SendTo(datagram, relay);
                Run();
                Assert.Equal(datagram[10..], Echoed(echo!));
                Run();
                Assert.Equal(datagram, Received(own));

                byte[] foreign = random.OneIn(2) ? [.. datagram[..10], .. "false"u8] : Changed(datagram);
                (random.OneIn(2) ? neighbour : stranger).SendTo(foreign, relay);
                Run();
                Assert.Null(Echoed(echo!));
                if (round == ForeignRounds)
                    Assert.Equal(ForeignRounds + 2, Port("socks").GetProperty("datagramsDropped").GetInt32());
                if (round < ForeignRounds)
                    continue;

                own.SendTo(random.OneIn(8) ? handshakes.Noise(random.Next(3000)) : Changed(datagram), relay);
                Run();
                while (Echoed(echo!) is not null)
                    Run();
                while (Received(own) is not null)
                    continue; // echoes of what was still right
            }

            Assert.Null(Received(neighbour));
            Assert.Null(Received(stranger));

            // Datagrams for names that nobody answers about have their time, too.
            Settle();
        }

        Run();
        Assert.Equal(before, SocketsOfProcess());
        Assert.Equal(0, Open("socks"));
        AssertNoFault();

        byte[] Changed(byte[] datagram)
        {
            var changed = random.OneIn(4) ? [0, 0, 0, 3, 7, .. "silence"u8, 0, 7, 1] : datagram.ToArray();
            changed[random.Next(10)] ^= (byte)(1 + random.Next(255));
            return changed[..random.Next(changed.Length + 1)];
        }
    }

    private void Play(SeededRandom random, int steps, Action honestly)
    {
        var handshakes = new HostileHandshakes(random);
        var clients = Enumerable.Range(0, Clients).Select(_ => Client()).ToArray();
        for (var step = 0; step < steps; step++)
        {
            ref var client = ref clients[random.Next(Clients)];
            Act(client, handshakes, random);
            Run();
            Misbehave(random);
            if (random.OneIn(10))
                Advance(TimeSpan.FromMilliseconds(random.Next(5000)), TimeSpan.FromMilliseconds(500));
            foreach (var other in clients)
                AssertInTime(other);
            if (!client.IsDeaf)
                client.ReadAll();
            if (client.HasEnded || random.OneIn(16))
            {
                if (random.OneIn(2))
                    client.Reset();
                else
                    client.Dispose();
                Run();
                client = Client();
            }

            if (random.OneIn(16))
                honestly();
        }

        foreach (var client in clients)
            client.Dispose();
        Settle();
        honestly();
        Settle();

        HostileProxyClient Client()
        {
            var isForwarded = random.OneIn(5);
            var client = new HostileProxyClient(isForwarded ? ForwardEnd : SocksEnd, Peer.Now, isForwarded) { IsDeaf = random.OneIn(4) };
            if (random.OneIn(2))
                Run();
            return client;
        }
    }

    private static void Act(HostileProxyClient client, HostileHandshakes handshakes, SeededRandom random)
    {
        if (client.Drip.TryDequeue(out var octet))
        {
            client.Send([octet]);
            return;
        }

        var bytes = handshakes.Next();
        switch (random.Next(12))
        {
            case 0:
                client.Send(handshakes.Noise(random.Next(1, 3000)));
                break;
            case 1:
                for (var i = 0; i < 256 && client.Send(bytes); i++)
                    continue; // as much as is taken
                break;
            case 2:
                foreach (var each in bytes)
                    client.Send([each]);
                break;
            case 3:
                foreach (var each in bytes)
                    client.Drip.Enqueue(each);
                break;
            case 4:
                var cut = random.Next(bytes.Length + 1);
                client.Send(bytes.AsSpan(0, cut));
                client.Send(bytes.AsSpan(cut));
                break;
            case 5:
                client.Send(bytes, SocketFlags.OutOfBand);
                break;
            case 6:
                client.Send([.. bytes, .. handshakes.Next()]);
                break;
            case 7:
                client.Send(bytes);
                client.EndOfStream();
                break;
            default:
                client.Send(bytes);
                break;
        }
    }

    /// <summary>A client that is not served has been told so, or closed.</summary>
    private void AssertInTime(HostileProxyClient client)
    {
        if (Peer.Now - client.Born <= Settings.Proxy.HandshakeTimeout + Settings.Proxy.ConnectTimeout + Farewell + Second)
            return;
        client.ReadAll();
        Assert.True(client.HasEnded || client.IsServed, "The proxy neither serves a client nor closes its connection.");
    }

    /// <summary>What hostile clients have been connected to is no better.</summary>
    private void Misbehave(SeededRandom random)
    {
        Accept();
        for (var i = _accepted.Count - 1; i >= 0; i--)
        {
            var socket = _accepted[i];
            if (Peer.Ended.Contains(socket))
                _accepted.RemoveAt(i);
            else if (random.OneIn(8) && socket.SendRoom > 20_000 && socket.State == TcpState.Established)
            {
                Peer.Send(socket, new byte[random.Next(1, 20_000)]);
            }
            else if (Peer.EndOfStream.Contains(socket) || random.OneIn(30))
            {
                if (random.OneIn(2))
                    socket.Abort(Peer.Now);
                else
                    socket.Close(Peer.Now);
                _accepted.RemoveAt(i);
            }
        }

        Run();
    }

    private void Accept()
    {
        foreach (var listener in _listeners)
        {
            while (listener.Accept() is { } socket)
            {
                Peer.ReadAll(socket); // what came before it was accepted
                _accepted.Add(socket);
            }
        }
    }

    /// <summary>Everything that is still on its way comes to its end.</summary>
    private void Settle()
    {
        for (var i = 0; i < 50; i++)
        {
            Accept();
            foreach (var socket in _accepted.Where(socket => !Peer.Ended.Contains(socket)))
                socket.Abort(Peer.Now);
            _accepted.Clear();
            Run();
            Advance(TimeSpan.FromSeconds(5), Second);
        }
    }

    /// <summary>A client that does nothing wrong comes, is served at once, and goes.</summary>
    private void Greet(int way)
    {
        var start = Peer.Now;
        using var client = way == 0 ? Forward() : Socks();
        switch (way)
        {
            case 1:
                Assert.Equal([5, 0, 5, 0], client.Ask([1, 10, 99, 0, 1, 0, 80]));
                break;
            case 2:
                Assert.Equal([5, 0, 5, 0], client.Ask([3, 4, .. "peer"u8, 0, 80]));
                break;
            case 3:
                client.Send([.. "CONNECT peer:80 HTTP/1.1\r\n\r\n"u8]);
                Assert.StartsWith("HTTP/1.1 200 ", Encoding.ASCII.GetString(client.Read()), StringComparison.Ordinal);
                break;
        }

        var socket = Exchange(client);
        Assert.True(Peer.Now - start < Second, "An honest client had to wait.");
        client.Reset();
        socket.Abort(Peer.Now);
        Run();
    }

    /// <summary>Bytes go both ways, now.</summary>
    /// <param name="socket">The peer's end; null: it is the one where these bytes come out.</param>
    private TcpSocket Exchange(HostClient client, TcpSocket? socket = null)
    {
        byte[] question = [.. "question "u8, ++_token];
        byte[] answer = [.. "answer "u8, _token];
        client.Read();
        client.Send(question);
        Accept();
        socket ??= Assert.Single(_accepted, accepted => Peer.Received(accepted).SequenceEqual(question));
        _accepted.Remove(socket);
        Assert.True(Peer.Received(socket).AsSpan().EndsWith(question));
        Peer.Send(socket, answer);
        Run();
        Assert.Equal(answer, client.Read());
        return socket;
    }

    private int Open(string port) => Port(port).GetProperty("open").GetInt32();

    /// <summary>What has come to the peer's service, sent back by it; null: nothing.</summary>
    private byte[]? Echoed(UdpSocket echo)
    {
        if (!echo.TryReceive(out var payload, out var from))
            return null;
        var bytes = payload.Span.ToArray();
        Assert.Equal(StackError.None, echo.Send(payload, from, Peer.Now));
        return bytes;
    }

    private static byte[]? Received(Socket socket)
    {
        var buffer = new byte[65536];
        var count = socket.Receive(buffer, SocketFlags.None, out var error);
        return error == SocketError.Success ? buffer[..count] : null;
    }

    private static Socket Datagrams(string address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        return socket;
    }

    /// <summary>Sockets that this process has open.</summary>
    private static int SocketsOfProcess() =>
        Directory.GetFiles("/proc/self/fd").Count(static path => new FileInfo(path).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    private void AssertNoFault() => Assert.False(_faults.HasMessages, _faults.HasMessages ? _faults.ReceiveOne(TimeSpan.Zero).ToString() : "");
}
