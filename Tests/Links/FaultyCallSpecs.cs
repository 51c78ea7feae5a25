using System.Net;
using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>
/// Whatever the kernel gives of what is asked for, a byte at a time, nothing yet, an interruption, no memory, the same bytes and descriptors come in the same order. Reads follow
/// reports as a reactor makes them: what is there and is reported no more would wait for ever, and fails the spec.
/// </summary>
public sealed class FaultyCallSpecs : IDisposable
{
    private const int Length = 150_000;
    private const int Descriptors = 60;

    // F_DUPFD_CLOEXEC
    private const int DuplicateDescriptor = 1030;

    // More than any of these takes; one that goes on after that has come to a stop.
    private const int MaxTurns = 1_000_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Who takes one piece after the other until nothing is left is to be told the truth about that.
    private static readonly int[] NoMemory = [Errors.EINTR, Errors.ENOBUFS, Errors.ENOMEM];
    private static readonly int[] AnyError = [Errors.EINTR, Errors.EINTR, Errors.EAGAIN, Errors.ENOBUFS, Errors.ENOMEM];

    private readonly BufferPool _pool = new();

    public void Dispose() => Assert.Equal(0, _pool.Rented);

    public static TheoryData<int> Seeds => [1, 2, 3, 4, 5, 6];

    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void An_applications_stream(int seed) => FaultyCalls.Run(seed, cuts: true, AnyError, calls =>
    {
        using var link = CreateStream(out var end);
        using var app = calls.Spare(AppSocket.Open(end));
        Exchange(link, app, new Random(seed));
        app.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, Last(link));

        // In order: end of file, and no reset.
        link.Dispose();
        Assert.Null(app.TryRead());
    });

    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void Filler_and_the_stream_after_it(int seed) => FaultyCalls.Run(seed, cuts: true, AnyError, calls =>
    {
        using var link = CreateStream(out var end);
        using var app = calls.Spare(AppSocket.Open(end));
        link.Discard((uint)app.WriteUntilFull(new byte[1 << 20]));
        Exchange(link, app, new Random(seed));
    });

    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void A_connection_of_the_host_after_a_handshake_that_is_looked_at_first(int seed) => FaultyCalls.Run(seed, cuts: true, AnyError, calls =>
    {
        var handshake = Bytes.Pattern(3000, seed);
        using var listener = HostListener.Listen(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 0));
        using var app = calls.Spare(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        app.Connect(new IPEndPoint(IPAddress.Loopback, listener.Local.Port));
        app.Blocking = false;
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var first, out _));
        app.Send(handshake);
        var looked = new MemoryStream();
        var room = new byte[500];
        for (var turns = 0; looked.Length < handshake.Length; turns++)
        {
            Assert.InRange(turns, 0, MaxTurns);
            if (first!.Peek(room, out var count) != ReadResult.Data)
                continue;
            looked.Write(room, 0, count);
            first.Take(count);
        }

        Assert.Equal(handshake, looked.ToArray());
        using var link = first!.HandOver();
        Exchange(link, app, new Random(seed));
        app.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, Last(link));
    });

    /// <summary>The kernel moves a message whole or not at all.</summary>
    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void Datagrams(int seed) => FaultyCalls.Run(seed, cuts: false, NoMemory, calls =>
    {
        var random = new Random(seed);
        var peer = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), 53));
        var header = new byte[DatagramHeader.Size];
        peer.WriteTo(header);
        using var link = DatagramLink.Create(out var end);
        using var app = calls.Spare(AppSocket.Open(end));
        using var reports = new Reports();
        link.Start(reports.Reactor, Readiness.Readable, reports.Note);
        for (var i = 0; i < 300; i++)
        {
            var forth = Bytes.Pattern(random.Next(0, 5000), i);
            app.Send([.. header, .. forth]);
            PacketBuffer? taken = null;
            while (taken is null)
            {
                reports.Await();
                reports.Take();
                link.Read(_pool, 0, out taken, out _);
            }

            Assert.Equal(forth, taken!.Span.ToArray());
            while (link.Write(taken, peer) != WriteResult.Done)
            {
                // No memory for the moment.
            }

            taken.Release();
            Assert.Equal([.. header, .. forth], app.ReadAll());
        }
    });

    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void Requests_and_answers_with_a_descriptor_each(int seed) => FaultyCalls.Run(seed, cuts: true, NoMemory, calls =>
    {
        using var session = LinkSession.Create(default, out var end);
        using var client = calls.Spare(AppSocket.Open(end));
        using var receiving = Duplicate(client);
        using var reports = new Reports();
        session.Start(reports.Reactor, reports.Note);
        byte[] asked = [.. LinkHarness.Hello(), .. Enumerable.Range(1, Descriptors).SelectMany(i => LinkHarness.Frame(new SocketRequest((uint)i, SocketFamily.V4, LinkSocketType.Stream, 0)))];
        var (random, links, requests, answers) = (new Random(seed), new List<StreamLink>(), new List<LinkRequest>(), new MemoryStream());
        var got = new List<Socket>();
        var expected = LinkProtocol.HelloSize;
        for (var (sent, turns) = (0, 0); sent < asked.Length || answers.Length < expected || links.Count < Descriptors; turns++)
        {
            Assert.InRange(turns, 0, MaxTurns);
            var piece = asked.AsSpan(sent, Math.Min(asked.Length - sent, random.Next(0, 100)));
            sent += piece.Length > 0 ? client.Send(piece) : 0;
            if (sent == asked.Length && links.Count < Descriptors)
                reports.Await();
            if (reports.Take())
            {
                session.Flush();
                while (session.ReadRequests(requests) == ReadResult.Data)
                {
                    // More may be there.
                }

                foreach (var request in requests.Cast<SocketRequest>())
                {
                    Assert.Equal(links.Count + 1, (int)request.Id);
                    links.Add(CreateStream(out var application));
                    var answer = request.Created(application.Handle);
                    expected += answer.Size;
                    session.Send(answer, application);
                }

                requests.Clear();
            }

            Receive(receiving, answers, got);
        }

        var handles = LinkHarness.Answers(answers.ToArray().AsSpan(LinkProtocol.HelloSize)).Select(static answer => BitConverter.ToUInt64(answer.Body.Span));
        AssertSame(links, handles, got);
    });

    /// <summary>A record is so small that the kernel takes it whole or not at all.</summary>
    [SkippableTheory]
    [MemberData(nameof(Seeds))]
    public void Accepted_connections(int seed) => FaultyCalls.Run(seed, cuts: false, AnyError, calls =>
    {
        using var link = AcceptLink.From(CreateStream(out var end));
        using var app = calls.Spare(AppSocket.Open(end));
        using var receiving = Duplicate(app);
        var (links, records, got) = (new List<StreamLink>(), new MemoryStream(), new List<Socket>());
        for (var i = 0; i < Descriptors; i++)
        {
            var from = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), (ushort)(i + 1)));
            links.Add(CreateStream(out var application));
            for (var turns = 0; link.TrySend(new AcceptRecord(from, from), application) != WriteResult.Done; turns++)
            {
                Assert.InRange(turns, 0, MaxTurns);
                Receive(receiving, records, got);
            }
        }

        for (var turns = 0; records.Length < Descriptors * AcceptRecord.Size; turns++)
        {
            Assert.InRange(turns, 0, MaxTurns);
            Receive(receiving, records, got);
        }

        AssertSame(links, links.Select(static one => one.Handle), got);
    });

    /// <summary>The kernel takes a request whole or not at all: what could not be asked does not end the connection by which others are.</summary>
    [SkippableFact]
    public void A_client_that_has_no_memory_for_a_request_is_told_so_and_asks_again()
    {
        using var driver = new FakeDriver();
        using var client = TapwireClient.Connect(driver.Path);
        FaultyCalls.Run(1, cuts: false, [Errors.ENOBUFS], calls =>
        {
            var refused = 0;
            for (var listened = 0; listened < 50;)
            {
                try
                {
                    client.Listen(new IPEndPoint(IPAddress.Any, 0)).Dispose();
                    listened++;
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
                {
                    refused++;
                }
            }

            Assert.InRange(refused, 1, 1000);
        });
    }

    private static void AssertSame(List<StreamLink> links, IEnumerable<ulong> told, List<Socket> got)
    {
        Assert.Equal(links.Select(static link => link.Handle), told);
        Assert.Equal(links.Select(static link => link.Handle), got.Select(static socket => socket.Cookie()));
        links.ForEach(static link => link.Dispose());
        got.ForEach(static socket => socket.Dispose());
    }

    private static void Receive(Socket from, MemoryStream bytes, List<Socket> descriptors)
    {
        var room = new byte[200];
        var read = DescriptorReceiver.Receive(from, room, out var descriptor);
        Assert.NotEqual(0, read);
        bytes.Write(room, 0, Math.Max(read, 0));
        if (descriptor is not null)
            descriptors.Add(new Socket(descriptor));
    }

    /// <summary>The same socket by another number, whose calls are faulty.</summary>
    private static Socket Duplicate(Socket socket) =>
        new(new SafeSocketHandle(Errors.Check(Libc.fcntl((int)socket.SafeHandle.DangerousGetHandle(), DuplicateDescriptor, 0), "fcntl"), ownsHandle: true));

    private static StreamLink CreateStream(out ApplicationEnd end)
    {
        while (true)
        {
            try
            {
                return StreamLink.Create(out end);
            }
            catch (PosixException e) when (e.Errno is Errors.ENOBUFS or Errors.ENOMEM or Errors.EAGAIN)
            {
                // Refused for the moment, and what has been made is gone again.
            }
        }
    }

    /// <summary>Both ways at once, in pieces of any size.</summary>
    private void Exchange(StreamEnd link, Socket app, Random random)
    {
        var (forth, back) = (Bytes.Pattern(Length, 1), Bytes.Pattern(Length, 2));
        var (taken, received) = (new MemoryStream(), new MemoryStream());
        using var reports = new Reports();
        link.Start(reports.Reactor, Readiness.Readable, reports.Note);
        PacketBuffer? chain = null;
        for (var (sent, given, turns) = (0, 0, 0); taken.Length < Length || received.Length < Length; turns++)
        {
            Assert.InRange(turns, 0, MaxTurns);
            if (sent < Length)
            {
                var piece = app.Send(forth.AsSpan(sent, Math.Min(Length - sent, random.Next(1, 4000))), SocketFlags.None, out var error);
                Assert.True(error is SocketError.Success or SocketError.WouldBlock);
                sent += error == SocketError.Success ? piece : 0;
            }
            else if (taken.Length < Length && received.Length == Length)
            {
                reports.Await();
            }

            if (reports.Take())
                ReadAll(link, taken, random);

            if (chain is null && given < Length)
            {
                var piece = Math.Min(Length - given, random.Next(1, 20_000));
                chain = _pool.Chain(back[given..(given + piece)], random.Next(1, 2000));
                given += piece;
            }

            Assert.NotEqual(WriteResult.Closed, link.Write(ref chain, out _));
            received.Write(app.ReadAll());
        }

        Assert.Equal(forth, taken.ToArray());
        Assert.Equal(back, received.ToArray());
        Assert.Null(chain);
    }

    private void ReadAll(StreamEnd link, MemoryStream taken, Random random)
    {
        ReadResult read;
        while ((read = link.Read(_pool, random.Next(1, 5000), out var data)) == ReadResult.Data)
        {
            taken.Write(data!.Span);
            data.Release();
        }

        Assert.Equal(ReadResult.Empty, read);
    }

    /// <summary>What is read in the end, when the other side has ended its direction.</summary>
    private static ReadResult Last(StreamEnd link)
    {
        for (var turns = 0; turns < MaxTurns; turns++)
        {
            if (link.State() is var state and not ReadResult.Empty)
                return state;
        }

        return ReadResult.Empty;
    }

    /// <summary>What a reactor, which is edge-triggered, reports of one descriptor.</summary>
    private sealed class Reports : IDisposable
    {
        private int _isReported = 1;

        public Reactor Reactor { get; } = new("reports", static e => throw e);

        public void Note(Readiness readiness) => Volatile.Write(ref _isReported, 1);

        /// <summary>Whether there is a report that nobody has looked after.</summary>
        public bool Take() => Interlocked.Exchange(ref _isReported, 0) == 1;

        /// <summary>Waits for one.</summary>
        public void Await() => Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref _isReported) == 1, Patience), "What is there waits for a report that does not come.");

        public void Dispose() => Reactor.Dispose();
    }
}
