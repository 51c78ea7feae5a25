using System.Net.Sockets;
using Akka.TestKit;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Links;
using Tapwire.Tests.Links.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// A whole driver in virtual time, whose link is used as it should not be: requests of chance, changed, cut, glued, in floods, unread answers, sudden ends, and
/// descriptors of every kind with all of it. A session is answered or ends; no actor fails, no descriptor stays behind, and others do not notice.
/// Every spec ends with the driver's orderly stop, after which no buffer is missing.
/// </summary>
[Collection(nameof(LinkLeakSpecs))]
public sealed class HostileLinkSpec : DriverSetup
{
    private const int Clients = 4;

    private readonly TestProbe _faults;
    private readonly List<ulong> _handles = [];

    public HostileLinkSpec()
        : base("link.max-sessions = 16\nlink.max-sockets = 64")
    {
        _faults = CreateTestProbe("faults");
        Sys.EventStream.Subscribe(_faults, typeof(Akka.Event.Error));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Whatever_comes_over_the_link_is_answered_or_ends_its_session_alone(int seed)
    {
        var random = new SeededRandom((ulong)seed);
        Peer.Listen(80);
        using var honest = new HostileClient(this);
        honest.Greet();
        honest.Socket.Send(LinkHarness.Frame(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0)));
        Run();
        var (bytes, descriptor) = honest.Socket.ReceiveWithDescriptor(4096);
        using var app = new App(this, Assert.Single(LinkHarness.Answers(bytes)).Handle, descriptor);
        Assert.Equal(0, Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(Address, 7)))).Error);
        Play(random, 100, () => Ask(honest, app));
        var before = Descriptors.Count;
        Play(random, 800, () => Ask(honest, app));
        for (var i = 0; i < 10_000 && Descriptors.Count > before; i++)
            Thread.Yield();
        Assert.InRange(Descriptors.Count, 0, before + 5);
        Assert.False(_faults.HasMessages, _faults.HasMessages ? _faults.ReceiveOne(TimeSpan.Zero).ToString() : "");
    }

    [Fact]
    public void The_kernel_passes_no_more_than_so_many_descriptors_and_those_are_closed()
    {
        using var passed = new PassedDescriptors(Path.GetTempPath());
        using var client = new HostileClient(this);
        client.Greet();
        var request = LinkHarness.Frame(new GetSockNameRequest(1, 1));
        var before = Descriptors.Count;
        Assert.True(passed.Send(client.Socket, request, PassedDescriptors.Most + 1, new Random(1)) < 0);
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(request.Length, passed.Send(client.Socket, request, PassedDescriptors.Most, new Random(i)));
            Run();
        }

        Assert.Equal(before, Descriptors.Count);
        Assert.Equal(100, LinkHarness.Answers(client.Socket.ReadAll()).Count(answer => answer.Error == LinkErrno.BadHandle));
    }

    private void Play(SeededRandom random, int steps, Action honestly)
    {
        using var passed = new PassedDescriptors(Path.GetTempPath());
        var requests = new HostileRequests(random, _handles);
        var clients = Enumerable.Range(0, Clients).Select(_ => new HostileClient(this)).ToArray();
        for (var step = 0; step < steps; step++)
        {
            ref var client = ref clients[random.Next(Clients)];
            Act(client, requests, passed, random);
            Run();
            if (random.OneIn(20))
                Advance(TimeSpan.FromMilliseconds(random.Next(200)));
            if (!random.OneIn(3) && !client.Read(_handles, random))
            {
                client.Dispose();
                Run();
                client = new HostileClient(this);
            }

            if (random.OneIn(16))
                honestly();
        }

        foreach (var client in clients)
            client.Dispose();
        _handles.Clear();
        Run();

        // Connections in the making, and those whose peer does not answer, end in their time.
        Advance(TimeSpan.FromMinutes(20), TimeSpan.FromSeconds(10));
        honestly();
    }

    private static void Act(HostileClient client, HostileRequests requests, PassedDescriptors passed, SeededRandom random)
    {
        if (!client.Greeted && !random.OneIn(10))
        {
            client.Greet();
            return;
        }

        switch (random.Next(16))
        {
            case 0:
                var noise = new byte[random.Next(1, 3000)];
                random.NextBytes(noise);
                client.Send(noise);
                break;
            case 1:
                for (var flood = random.Next(2000); flood > 0; flood--)
                    client.Send(requests.Bytes());
                break;
            case 2:
                foreach (var octet in requests.Bytes())
                    client.Send([octet]);
                break;
            case 3:
                passed.Send(client.Socket, requests.Bytes(), random.Next(1, random.OneIn(4) ? PassedDescriptors.Most + 2 : 4), random);
                break;
            case 4:
                client.Misuse(passed, random);
                break;
            case 5 when random.OneIn(4):
                client.Socket.Shutdown(random.OneIn(2) ? SocketShutdown.Send : SocketShutdown.Receive);
                break;
            case 6:
                var bytes = requests.Bytes();
                var cut = random.Next(bytes.Length + 1);
                client.Send(bytes.AsSpan(0, cut));
                client.Send(bytes.AsSpan(cut));
                break;
            default:
                client.Send(LinkHarness.Frame(requests.Request()));
                break;
        }
    }

    /// <summary>What a client that does nothing wrong asks is answered, now and rightly.</summary>
    private void Ask(HostileClient honest, App app)
    {
        honest.Socket.Send(LinkHarness.Frame(new GetSockNameRequest(77, app.Handle)));
        Run();
        var answer = Assert.Single(LinkHarness.Answers(honest.Socket.ReadAll()));
        Assert.Equal((77u, 0, 7), (answer.Id, answer.Error, answer.Address.Endpoint.Port));
    }

    /// <summary>A client with the sockets that it was given.</summary>
    private sealed class HostileClient : IDisposable
    {
        private readonly List<Socket> _sockets = [];

        public HostileClient(HostileLinkSpec spec)
        {
            Socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            Socket.Connect(new UnixDomainSocketEndPoint(spec.LinkPath));
            Socket.Blocking = false;
            spec.Run();
            Socket.ReadAll();
        }

        public Socket Socket { get; }

        public bool Greeted { get; private set; }

        public void Greet()
        {
            Greeted = true;
            Send(LinkHarness.Hello());
        }

        public void Send(ReadOnlySpan<byte> bytes) => Socket.Send(bytes, SocketFlags.None, out _);

        /// <summary>Writes anything, with descriptors, into a socket of its own, reads it, shuts it down or closes it.</summary>
        public void Misuse(PassedDescriptors passed, SeededRandom random)
        {
            if (_sockets.Count == 0)
                return;
            var index = random.Next(_sockets.Count);
            var socket = _sockets[index];
            var bytes = new byte[random.OneIn(4) ? random.Next(70_000) : random.Next(100)];
            if (random.OneIn(2))
                random.NextBytes(bytes);
            switch (random.Next(5))
            {
                case 0:
                    socket.Send(bytes, SocketFlags.None, out _);
                    break;
                case 1:
                    passed.Send(socket, bytes, random.Next(1, 4), random);
                    break;
                case 2:
                    socket.Receive(bytes, SocketFlags.None, out _);
                    break;
                case 3 when random.OneIn(3):
                    _ = Libc.shutdown((int)socket.Handle, random.Next(3));
                    break;
                default:
                    socket.Dispose();
                    _sockets.RemoveAt(index);
                    break;
            }
        }

        /// <summary>Reads answers, and keeps or throws away the descriptors that come.</summary>
        /// <returns>False: the driver has ended the session.</returns>
        public bool Read(List<ulong> handles, SeededRandom random)
        {
            while (true)
            {
                (byte[] Data, int Descriptor) got;
                try
                {
                    got = Socket.ReceiveWithDescriptor(1 << 16);
                }
                catch (SocketException e)
                {
                    return e.SocketErrorCode == SocketError.WouldBlock;
                }

                if (got.Data.Length == 0)
                    return false;
                if (got.Descriptor < 0)
                    continue;
                var socket = Descriptors.Adopt(got.Descriptor);
                if (_sockets.Count > 8 || random.OneIn(3))
                {
                    socket.Dispose();
                    continue;
                }

                _sockets.Add(socket);
                if (handles.Count > 64)
                    handles.RemoveAt(0);
                handles.Add(socket.Cookie());
            }
        }

        public void Dispose()
        {
            _sockets.ForEach(socket => socket.Dispose());
            Socket.Dispose();
        }
    }
}
