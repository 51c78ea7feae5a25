using System.Runtime.Versioning;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Capture;
using Xunit;

namespace Tapwire.Tests.Actors.Capture;

/// <summary>Captures of a whole driver, to a stream of the spec's from the start, and to sockets of clients of the link.</summary>
[SupportedOSPlatform("linux")]
[Collection(AloneCollection.Name)]
public sealed class CaptureSpecs : DriverSetup
{
    // Sockets work in real time, which virtual time would only put off.
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(20);

    private readonly SlowStream _file = new();

    public CaptureSpecs()
        : base("""serve = ["echo:7"], capture { memory = 256KiB, max-captures = 2 }""")
    {
    }

    protected override DriverContext Adapted(DriverContext context) => context with
    {
        CaptureDispatcher = VirtualTime.Dispatcher,
        Clock = new DatedClock(Scheduler),
        OpenWires = _ => [new DriverWire(Opened.Dequeue(), () => throw new WireException("gone"))],
        Capture = new StartCapture(new CaptureOptions { SnapLength = 1000 }, _file, "the spec's file"),
    };

    [Fact]
    public void Both_directions_are_there_with_their_times_and_at_the_end_the_numbers()
    {
        var socket = Peer.Connect(7);
        Run();
        Peer.Send(socket, new byte[1200]);
        Run();
        Advance(TimeSpan.FromSeconds(1));
        Peer.Send(socket, "later"u8);
        Run();
        StopDriver();
        var file = PcapngFile.Read(_file.Bytes);
        Assert.StartsWith("Tapwire ", file.Application, StringComparison.Ordinal);
        Assert.Equal((1, 1000u, "tw0", "MTU 1500", 9), Assert.Single(file.Interfaces) is var each ? (each.LinkType, each.SnapLength, each.Name, each.Text, each.Resolution) : default);
        Assert.Equal([true, false, true], file.Packets.Where(static packet => packet.Data[12..14] is [8, 0]).Take(3).Select(static packet => packet.IsInbound));
        Assert.All(file.Packets, static packet => Assert.Equal(Math.Min(packet.Original, 1000), packet.Data.Length));
        Assert.Contains(file.Packets, static packet => packet.IsInbound && packet.Original == 14 + 20 + 32 + 1200);
        var times = file.Packets.Select(static packet => packet.Time).ToList();
        Assert.Equal(times.Order(), times);
        Assert.InRange(times[^1] - times[0], 1_000_000_000, 10_000_000_000);
        Assert.Equal(((ulong)file.Packets.Count, 0ul), file.Statistics[0]);
        Assert.True(_file.IsDisposed);
    }

    [Fact]
    public void A_packet_that_is_dropped_says_why()
    {
        Peer.Connect(7);
        Run();
        var good = Build.Udp(1000, 9999, "x"u8, Tapwire.Tests.Actors.Support.Peer.Address, Address, Settings.HardwareAddress);
        good[11] = 1;
        var bad = good.ToArray();
        bad[24] ^= 1;
        Wire.Deliver(bad);
        Wire.Deliver(good);
        Run();
        StopDriver();
        var packets = PcapngFile.Read(_file.Bytes).Packets;
        Assert.Equal("dropped: IpInBadChecksum", Assert.Single(packets, packet => packet.Data.AsSpan().SequenceEqual(bad)).Comment);
        Assert.Equal("dropped: UdpNoPorts", Assert.Single(packets, packet => packet.Data.AsSpan().SequenceEqual(good)).Comment);
        Assert.All(packets.Where(static packet => packet.Data[12..14] is [8, 0] && packet.Data[23] == 6), static packet => Assert.Null(packet.Comment));
    }

    [Fact]
    public void A_frame_that_the_wire_does_not_take_comes_again_with_the_reason()
    {
        var socket = Peer.Connect(7);
        Run();
        // The answer is lost, so that it is due again while there is no wire.
        Peer.Loses = static frame => frame[11] == 2;
        Peer.Send(socket, "lost"u8);
        Run();
        Wire.Break();
        Advance(TimeSpan.FromSeconds(2));
        Peer.Loses = static _ => false;
        NextWires.Enqueue(Peer.Wire = new MemoryWire("second"));
        Advance(TimeSpan.FromSeconds(5));
        Run();
        StopDriver();
        var packets = PcapngFile.Read(_file.Bytes).Packets;
        var dropped = packets.Where(static packet => packet.Comment == "dropped: FramesDropped").ToList();
        Assert.NotEmpty(dropped);
        Assert.All(dropped, packet => Assert.Contains(packets, each => each.Comment is null && !each.IsInbound && each.Data.AsSpan().SequenceEqual(packet.Data)));
    }

    [Fact]
    public void A_stream_that_takes_nothing_costs_packets_and_holds_up_nobody()
    {
        _file.Stalls();
        var socket = Peer.Connect(7);
        Run();
        var sent = new byte[600_000];
        new Random(1).NextBytes(sent);
        Peer.Send(socket, sent.AsSpan(0, 60_000));
        for (var at = 60_000; at < sent.Length; at += 60_000)
        {
            Peer.Send(socket, sent.AsSpan(at, 60_000));
            RunUntil(() => Peer.ReceivedCount(socket) == at + 60_000);
        }

        Assert.Equal(sent, Peer.Received(socket));
        _file.GoesOn();
        StopDriver();
        var file = PcapngFile.Read(_file.Bytes);
        var (received, dropped) = file.Statistics[0];
        Assert.True(dropped > 100, $"{dropped} packets were dropped.");
        Assert.Equal(file.Packets.Count, (int)received);
    }

    [Fact]
    public void A_stream_that_never_goes_on_does_not_keep_the_driver()
    {
        _file.Stalls();
        Peer.Connect(7);
        Run();
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Advance(LongestStop + Tapwire.Actors.Capture.CaptureActor.EndPatience);
        StopDriver();
        Assert.True(_file.IsDisposed);
    }

    [Fact]
    public void A_full_disk_ends_the_capture_and_nothing_else()
    {
        _file.Fails(new IOException("No space left on device : '/x'"));
        var socket = Peer.Connect(7);
        Run();
        Peer.Send(socket, "hello"u8);
        Run();
        Assert.Equal("hello", System.Text.Encoding.ASCII.GetString(Peer.Received(socket)));
        Assert.True(_file.IsDisposed);
        using var reader = new Reader();
        Assert.Equal(0, Ask(reader.Request(new CaptureRequest(40, "tw0", null, 0, 65535, 0))).Error);
        Assert.Equal(0, Ask(new StatusRequest(41)).Error);
    }

    [Fact]
    public void A_client_gets_what_it_asks_for_and_the_end_when_it_closes_its_half()
    {
        using var reader = new Reader();
        Assert.Equal(0, Ask(reader.Request(new CaptureRequest(40, "tw0", null, 7, 96, 0))).Error);
        var socket = Peer.Connect(7);
        Run();
        Peer.Send(socket, "hello"u8);
        Run();
        reader.Shutdown();
        RunUntil(() => reader.ReadToEnd(), Soon);
        var file = PcapngFile.Read(reader.Bytes);
        Assert.All(file.Packets, static packet => Assert.Equal(6, packet.Data[23]));
        Assert.True(file.Packets.Count >= 5);
        Assert.Equal((ulong)file.Packets.Count, file.Statistics[0].Received);
        // The other one has gone on.
        Peer.Send(socket, "again"u8);
        Run();
        StopDriver();
        Assert.True(PcapngFile.Read(_file.Bytes).Packets.Count > file.Packets.Count);
    }

    [Fact]
    public void A_number_of_packets_ends_it()
    {
        using var reader = new Reader();
        Assert.Equal(0, Ask(reader.Request(new CaptureRequest(40, "", Tapwire.Tests.Actors.Support.Peer.Address, 0, 96, 3))).Error);
        var socket = Peer.Connect(7);
        Run();
        Peer.Send(socket, "hello"u8);
        RunUntil(() => reader.ReadToEnd(), Soon);
        var file = PcapngFile.Read(reader.Bytes);
        Assert.Equal(3, file.Packets.Count);
        Assert.Equal((3ul, 0ul), file.Statistics[0]);
    }

    [Fact]
    public void Readers_that_vanish_leave_nothing_and_there_are_no_more_than_may_be()
    {
        // What the runtime makes once for sockets is made.
        Begin()!.Dispose();
        RunUntil(() => Begin() is { } next && Disposed(next), Soon);
        var before = Sockets();
        for (var i = 0; i < 20; i++)
        {
            Reader? begun = null;
            RunUntil(() => (begun = Begin()) is not null, Soon);
            using var reader = begun!;
            using var second = new Reader();
            var refused = Ask(second.Request(new CaptureRequest(41, "", null, 0, 96, 0)));
            Assert.Equal((LinkErrno.Busy, "The driver has 2 captures already; end one, or raise tapwire.capture.max-captures."), (refused.Error, refused.Reason));
            Peer.Connect(7);
            Run();
            reader.Dispose();
        }

        RunUntil(() => Sockets() <= before, Soon);
    }

    [Fact]
    public void What_cannot_be_is_refused_in_a_sentence()
    {
        using var reader = new Reader();
        Assert.Equal((LinkErrno.NoInterface, "The driver has no interface tw9; it has tw0."), Answer(reader.Request(new CaptureRequest(40, "tw9", null, 0, 96, 0))));
        using var second = new Reader();
        Assert.Equal((22, "The bytes recorded of a packet are 64 to 262144, not 63."), Answer(second.Request(new CaptureRequest(40, "", null, 0, 63, 0))));
        Assert.Equal((22, "No descriptor has come with the request; a capture needs a stream socket."), Answer(new CaptureRequest(40, "", null, 0, 96, 0)));
        using var file = File.OpenHandle("/dev/null");
        Assert.Equal((22, "The descriptor of a capture is no stream socket."),
            Answer(new CaptureRequest(40, "", null, 0, 96, 0) { Output = new PassedDescriptor(Libc.Duplicate((int)file.DangerousGetHandle())) }));
        using var third = new Reader();
        LinkActor.Tell(new LinkCall(third.Request(new CaptureRequest(40, "", null, 0, 96, 0)), new PeerCredentials(1, 54321, 54321)), Session);
        Run();
        Assert.Equal((LinkErrno.NotPermitted, "Only the driver's own user and root may capture its packets."), Session.ExpectMsg<LinkReply>().Answer is var answer ? (answer.Error, answer.Reason) : default);
        foreach (var each in new[] { reader, second, third })
            RunUntil(() => each.ReadToEnd(), Soon);
    }

    [Fact]
    public void An_interface_that_is_added_is_captured_too()
    {
        var lab = new MemoryWire("tw1");
        Opened.Enqueue(lab);
        Assert.Equal(0, Ask(new AddInterfaceRequest(50, new NewInterface("tap:tw1", [IpPrefix.Parse("10.98.0.2/24")]))).Error);
        Run();
        StopDriver();
        var file = PcapngFile.Read(_file.Bytes);
        Assert.Equal(["tw0", "tw1"], file.Interfaces.Select(static each => each.Name));
        Assert.Contains(file.Packets, static packet => packet.Interface == 1 && !packet.IsInbound);
    }

    /// <summary>The runtime opens files of its own as it goes.</summary>
    private static int Sockets() => Directory.GetFiles("/proc/self/fd").Count(static each => new FileInfo(each).LinkTarget is { } target && target.StartsWith("socket:", StringComparison.Ordinal));

    private static bool Disposed(Reader reader)
    {
        reader.Dispose();
        return true;
    }

    private Reader? Begin()
    {
        var reader = new Reader();
        if (Ask(reader.Request(new CaptureRequest(40, "", null, 0, 96, 0))).Error == 0)
            return reader;
        reader.Dispose();
        return null;
    }

    private Queue<MemoryWire> Opened { get; } = new();

    private (int Error, string Reason) Answer(LinkRequest request) => Ask(request) is var answer ? (answer.Error, answer.Reason) : default;

    /// <summary>The time of day follows virtual time, too.</summary>
    private sealed class DatedClock(VirtualScheduler scheduler) : VirtualClock(scheduler)
    {
        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddTicks(GetTimestamp());
    }

    /// <summary>A client's end of the pair.</summary>
    private sealed class Reader : IDisposable
    {
        private readonly List<byte> _bytes = [];
        private readonly System.Net.Sockets.Socket _own;
        private readonly int _other;

        public Reader()
        {
            var (own, other) = SocketPair.Create(Libc.SOCK_STREAM, 1 << 20, 1 << 20);
            _own = new System.Net.Sockets.Socket(new System.Net.Sockets.SafeSocketHandle(own, ownsHandle: true)) { Blocking = false };
            _other = other;
        }

        public ReadOnlySpan<byte> Bytes => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_bytes);

        public CaptureRequest Request(CaptureRequest request) => request with { Output = new PassedDescriptor(_other) };

        public void Shutdown() => _own.Shutdown(System.Net.Sockets.SocketShutdown.Send);

        /// <returns>True at the end of the stream.</returns>
        public bool ReadToEnd()
        {
            var buffer = new byte[65536];
            while (_own.Poll(0, System.Net.Sockets.SelectMode.SelectRead))
            {
                var count = _own.Receive(buffer);
                if (count == 0)
                    return true;
                _bytes.AddRange(buffer.AsSpan(0, count));
            }

            return false;
        }

        public void Dispose() => _own.Dispose();
    }

    /// <summary>A file that can be slow, or full.</summary>
    private sealed class SlowStream : MemoryStream
    {
        private TaskCompletionSource? _stalled;
        private Exception? _failure;

        public bool IsDisposed { get; private set; }

        public byte[] Bytes => ToArray();

        public void Stalls() => _stalled = new TaskCompletionSource();

        public void GoesOn()
        {
            var stalled = _stalled;
            _stalled = null;
            stalled?.SetResult();
        }

        public void Fails(Exception failure) => _failure = failure;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_stalled is { } stalled)
                await stalled.Task;
            if (_failure is { } failure)
                throw failure;
            Write(buffer.Span);
        }

        protected override void Dispose(bool disposing) => IsDisposed = true;
    }
}
