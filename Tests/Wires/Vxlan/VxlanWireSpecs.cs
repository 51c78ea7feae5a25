using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Vxlan;
using Xunit;

namespace Tapwire.Tests.Wires.Vxlan;

/// <summary>VXLAN wires on a network in memory: hosts 192.0.2.1 to .3, and their addresses 02:00:00:00:00:01 to :03.</summary>
public sealed class VxlanWireSpecs : IDisposable
{
    private const string A = "192.0.2.1";
    private const string B = "192.0.2.2";
    private const string C = "192.0.2.3";

    private readonly DiagnosingBufferPool _pool = new();
    private readonly VxlanHub _hub = new();

    public void Dispose()
    {
        _hub.Dispose();
        _pool.AssertAllReturned();
    }

    [Fact]
    public void A_frame_has_the_header_of_the_RFC_before_it()
    {
        var wire = _hub.Wire(A, $"66051/remote={B}", 1);
        var frame = Frame(2, 1);
        Assert.Equal(1, Write(wire, frame));
        var (from, to, bytes) = Assert.Single(_hub.Sent);
        Assert.Equal(("192.0.2.1:4789", "192.0.2.2:4789"), (from.ToString(), to.ToString()));
        Assert.Equal("0800000001020300" + Convert.ToHexString(frame), Convert.ToHexString(bytes));
    }

    [Fact]
    public void A_mark_of_the_network_between_is_seen_inside_and_one_that_may_not_be_is_dropped()
    {
        var (a, b, _) = Three();
        // ECT(0), behind a VLAN tag, too.
        var packet = Build.Udp(1, 2, "x"u8)[14..];
        packet[1] = 2;
        packet[11] -= 2;
        foreach (var (frame, at) in new (byte[], int)[] { (Build.Ethernet(0x0800, packet, VxlanHub.Mac(2), VxlanHub.Mac(1)), 15), (Build.Ethernet(0x8100, [0, 5, 8, 0, .. packet], VxlanHub.Mac(2), VxlanHub.Mac(1)), 19) })
        {
            Write(a, frame);
            var port = _hub.PortAt(new IpEndpoint(IpAddress.Parse(B), 4789));
            var (path, bytes) = port.Arrived.Dequeue();
            Assert.Equal(2, path.TrafficClass);
            port.Arrived.Enqueue((path with { TrafficClass = 3 }, bytes));
            var read = Assert.Single(Read(b));
            Assert.Equal(3, read[at]);
            Assert.Equal(0, Checksum.Finish(Checksum.Sum(read.AsSpan(at - 1, 20))));
        }

        Write(a, Build.Ethernet(0x0800, Build.Udp(1, 2, "x"u8)[14..], VxlanHub.Mac(2), VxlanHub.Mac(1)));
        var hub = _hub.PortAt(new IpEndpoint(IpAddress.Parse(B), 4789));
        var (way, datagram) = hub.Arrived.Dequeue();
        Assert.Equal(0, way.TrafficClass);
        hub.Arrived.Enqueue((way with { TrafficClass = 3 }, datagram));
        Assert.Empty(Read(b));
        Assert.Equal(1, b.Counters["CongestionMark"]);
    }

    [Fact]
    public void Mutated_datagrams_change_nothing_but_counters() => VxlanHostility.Run(20_000, seed: 7);

    [Fact]
    public void What_is_known_goes_to_one_and_the_rest_to_all()
    {
        var (a, b, c) = Three();
        // Nobody knows 2: both get it. The answer goes to one, since the question has told where 1 is.
        Write(a, Frame(2, 1));
        Assert.Equal([Frame(2, 1)], Read(b));
        Assert.Equal([Frame(2, 1)], Read(c));
        Write(b, Frame(1, 2));
        Assert.Equal([Frame(1, 2)], Read(a));
        Assert.Empty(Read(c));
        Write(a, Frame(2, 1));
        Assert.Equal([Frame(2, 1)], Read(b));
        Assert.Empty(Read(c));
        // Groups go to all.
        var all = Frame(2, 1);
        all.AsSpan(0, 6).Fill(0xFF);
        Write(a, all);
        Assert.Equal([all], Read(b));
        Assert.Equal([all], Read(c));
        Assert.Equal((2, 1, 1), (a.Counters["FramesFlooded"], a.Counters["FramesSent"], a.Counters["Learned"]));
    }

    [Fact]
    public void An_address_that_is_silent_for_300_seconds_is_forgotten_and_one_that_moves_is_followed()
    {
        var (a, b, c) = Three();
        Write(b, Frame(1, 9));
        Read(a);
        _hub.Clock.Elapsed += TimeSpan.FromSeconds(299);
        Write(a, Frame(9, 1));
        Assert.Single(Read(b));
        // Flooded by B, before A was known.
        Assert.Equal([Frame(1, 9)], Read(c));
        _hub.Clock.Elapsed += TimeSpan.FromSeconds(2);
        Write(a, Frame(9, 1));
        Assert.Single(Read(b));
        Assert.Single(Read(c));

        Write(b, Frame(1, 9));
        Read(a);
        Write(c, Frame(1, 9));
        Read(a);
        Write(a, Frame(9, 1));
        Assert.Empty(Read(b));
        Assert.Single(Read(c));
        Assert.Equal(1, a.Counters["Moved"]);
    }

    [Fact]
    public void Static_entries_stay_and_frames_that_contradict_them_are_dropped()
    {
        var a = _hub.Wire(A, $"1/remote={C}/fdb=02:00:00:00:00:09@{B}", 1);
        var (b, c) = (_hub.Wire(B, $"1/remote={A}", 2), _hub.Wire(C, $"1/remote={A}", 3));
        Write(c, Frame(1, 9));
        Assert.Empty(Read(a));
        Assert.Equal(1, a.Counters["MovedStatic"]);
        _hub.Clock.Elapsed += TimeSpan.FromDays(1);
        Write(a, Frame(9, 1));
        Assert.Single(Read(b));
        Assert.Empty(Read(c));
        Write(b, Frame(1, 9));
        Assert.Single(Read(a));
        // Not on the flood list.
        Write(a, Frame(8, 1));
        Assert.Empty(Read(b));
        Assert.Single(Read(c));
    }

    [Fact]
    public void Without_learning_all_is_flooded()
    {
        var a = _hub.Wire(A, $"1/nolearning/remote={B}/remote={C}", 1);
        var (b, c) = (_hub.Wire(B, $"1/remote={A}", 2), _hub.Wire(C, $"1/remote={A}", 3));
        Write(b, Frame(1, 2));
        Assert.Single(Read(a));
        Write(a, Frame(2, 1));
        Assert.Single(Read(b));
        Assert.Single(Read(c));
    }

    [Fact]
    public void The_table_is_bounded_and_who_fills_it_does_not_stop_the_rest()
    {
        var a = _hub.Wire(A, $"1/remote={B}/remote={C}/maxaddress=100/ageing=10", 1);
        var b = _hub.Wire(B, $"1/remote={A}", 2);
        var c = _hub.Wire(C, $"1/remote={A}", 3);
        for (var i = 0; i < 10_000; i++)
            Write(b, Frame(1, 1000 + i));
        Assert.Equal(10_000, Read(a).Count);
        Assert.Equal((100, 9900, 100), (a.Counters["Learned"], a.Counters["NotLearned"], a.Counters["Entries"]));
        Assert.True(a.TryTakeNotice(out _));
        Assert.True(a.TryTakeNotice(out var notice));
        Assert.Equal(WireNoticeLevel.Warning, notice.Level);
        Assert.False(a.TryTakeNotice(out _));
        Write(c, Frame(1, 3));
        Read(a);
        Write(a, Frame(3, 1));
        Assert.Single(Read(c));
        _hub.Clock.Elapsed += TimeSpan.FromSeconds(11);
        Write(c, Frame(1, 3));
        Read(a);
        Assert.Equal((101, 1), (a.Counters["Learned"], a.Counters["Entries"]));
    }

    [Fact]
    public void What_is_not_of_this_network_is_dropped_for_its_reason()
    {
        var a = _hub.Wire(A, $"1/remote={B}", 1);
        var b = _hub.Open(B);
        var stranger = _hub.Open(C);
        var to = new IpEndpoint(IpAddress.Parse(A), 4789);
        byte[] good = [8, 0, 0, 0, 0, 0, 1, 0, .. Frame(1, 2)];
        void Deliver(HubPort from, byte[] bytes) => _hub.Send(from.Own, to, bytes, bytes.Length);
        Deliver(b, good[..21]);
        Deliver(b, [.. new byte[8], .. good.AsSpan(8)]);
        Deliver(b, [8, 0, 0, 0, 0, 0, 2, 0, .. good.AsSpan(8)]);
        Deliver(stranger, good);
        Deliver(b, [.. good.AsSpan(0, 8), .. Frame(1, 1)]);
        Deliver(b, [.. good.AsSpan(0, 8), .. Frame(1, 2).AsSpan(0, 6), 3, .. Frame(1, 2).AsSpan(7)]);
        Deliver(b, [.. good, .. new byte[3000]]);
        // Reserved bits are ignored.
        Deliver(b, [0xFF, 1, 2, 3, 0, 0, 1, 4, .. good.AsSpan(8)]);
        Assert.Equal([Frame(1, 2)], Read(a));
        Assert.Equal((1, 1, 1, 1, 2, 1), (a.Counters["TooShort"], a.Counters["BadFlags"], a.Counters["UnknownVni"], a.Counters["UnknownPeer"], a.Counters["BadSource"], a.Counters["TooLong"]));
        Assert.Equal(7, a.Refused);
    }

    [Fact]
    public void Frames_of_one_flow_leave_by_one_port_and_those_of_many_by_all()
    {
        var a = _hub.Wire(A, $"1/remote={B}", 1, senders: 4);
        for (var i = 0; i < 200; i++)
        {
            Write(a, Build.Udp(1000, 53, "x"u8, IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2")));
            Assert.Single(_hub.Sent.Select(static sent => sent.From.Port).Distinct());
        }

        for (var i = 0; i < 200; i++)
            Write(a, Build.Udp((ushort)(2000 + i), 53, "x"u8, IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2")));
        Assert.Equal(4, _hub.Sent.Select(static sent => sent.From.Port).Distinct().Count());
    }

    [Fact]
    public void Frames_of_one_length_go_with_one_call()
    {
        var a = _hub.Wire(A, $"1/remote={B}", 1);
        var frames = Enumerable.Range(0, 40).Select(_ => _pool.RentCopy(Frame(2, 1, 1400))).ToArray();
        Assert.Equal(40, a.Write(frames));
        foreach (var frame in frames)
            frame.Release();
        Assert.Equal((40, 1), (_hub.Sent.Count, _hub.Calls));
    }

    [Fact]
    public void A_full_socket_holds_back_and_loses_nothing()
    {
        var port = default(HubPort);
        var a = _hub.Wire(A, $"1/remote={B}", 1);
        port = PortOf(A);
        port.Fill();
        var taken = 0;
        while (Write(a, Frame(2, 1, 1400, (byte)taken)) == 1)
            Assert.True(++taken < 1000);
        Assert.InRange(taken, 1, 200);
        port.MakeRoom();
        a.BeginRead();
        Assert.Equal(1, Write(a, Frame(2, 1, 1400, (byte)taken)));
        Assert.Equal(Enumerable.Range(0, taken + 1).Select(static i => (byte)i), _hub.Sent.Select(static sent => sent.Bytes[^1]));
        Assert.DoesNotContain("SocketFull", a.Counters.Keys);
    }

    [Fact]
    public void Frames_that_are_too_long_or_too_short_are_counted()
    {
        var a = _hub.Wire(A, $"1/remote={B}", 1);
        Assert.Equal(1, Write(a, new byte[13]));
        Assert.Equal(1, Write(a, Frame(2, 1, 1451)));
        Assert.Equal(1, Write(a, Frame(2, 1, 1450)));
        Assert.Single(_hub.Sent);
        Assert.Equal((1, 1), (a.Counters["TooShort"], a.Counters["TooLong"]));
    }

    [Fact]
    public void Two_stacks_talk_over_it_and_mutated_datagrams_between_change_nothing()
    {
        var (a, b) = (_hub.Wire(A, $"1/remote={B}/remote={C}/maxaddress=64", 1), _hub.Wire(B, $"1/remote={A}", 2));
        var hostile = _hub.Open(C);
        var random = new Random(7);
        byte[] template = [8, 0, 0, 0, 0, 0, 1, 0, .. Build.Udp(1, 2, new byte[100], IpAddress.Parse("10.0.0.7"), IpAddress.Parse("10.0.0.1"), VxlanHub.Mac(1))];
        var to = new IpEndpoint(IpAddress.Parse(A), 4789);
        var expected = 0;
        for (var i = 0; i < 300_000; i++)
        {
            var bytes = template[..random.Next(template.Length + 1)];
            for (var changes = random.Next(4); changes > 0 && bytes.Length > 0; changes--)
                bytes[random.Next(Math.Min(bytes.Length, i % 2 == 0 ? 30 : 150))] = (byte)random.Next(256);
            _hub.Send(hostile.Own, to, bytes, Math.Max(1, bytes.Length));
            if (i % 1000 == 0)
            {
                Write(b, Frame(1, 2, 100, (byte)(i / 1000)));
                expected++;
            }

            if (i % 200 == 0)
            {
                _hub.Sent.Clear();
                expected -= Read(a).Count(frame => frame.Length == 114 && frame[11] == 2 && frame[6] == 2 && frame[12] == 0x12);
            }
        }

        expected -= Read(a).Count(frame => frame.Length == 114 && frame[11] == 2 && frame[6] == 2 && frame[12] == 0x12);
        Assert.Equal(0, expected);
        Assert.InRange(a.Counters["Entries"], 1, 64);
    }

    [Theory]
    [InlineData("1", "has no peer; name each with remote=ADDRESS")]
    [InlineData("16777216/remote=192.0.2.1", "'16777216' of a VXLAN wire must be the identifier of a network, 0 to 16777215")]
    [InlineData("1/remot=192.0.2.1", "has no word 'remot=192.0.2.1'; there are remote=")]
    [InlineData("1/remote=", "has no word 'remote='")]
    [InlineData("1/remote=host", "'remote=host' of a VXLAN wire must be an address")]
    [InlineData("1/remote=239.1.1.1", "groups are not for this wire")]
    [InlineData("1/remote=192.0.2.1:0", "must be an address")]
    [InlineData("1/remote=192.0.2.1/remote=192.0.2.1", "is given twice")]
    [InlineData("1/remote=192.0.2.1/dstport=0", "must be a port, 1 to 65535")]
    [InlineData("1/remote=192.0.2.1/mtu=67", "must be 68 to 65000 bytes")]
    [InlineData("1/remote=192.0.2.1/local=2001:db8::1", "are of two families")]
    [InlineData("1/remote=192.0.2.1/ageing=0", "must be 1 to 86400 seconds")]
    [InlineData("1/remote=192.0.2.1/maxaddress=x", "must be 1 to 1048576 addresses")]
    [InlineData("1/remote=192.0.2.1/fdb=01:00:00:00:00:01@192.0.2.1", "must be an Ethernet address and a peer's")]
    [InlineData("1/remote=192.0.2.1/nolearning=1", "has no word 'nolearning=1'")]
    public void What_is_wrong_with_an_argument_is_said(string argument, string words) =>
        Assert.Contains(words, Assert.Throws<WireException>(() => VxlanOptions.Parse(argument)).Message, StringComparison.Ordinal);

    [Fact]
    public void An_argument_has_all_that_it_says()
    {
        var options = VxlanOptions.Parse("42/remote=[2001:db8::1]:8472/dstport=4790/remote=2001:db8::2/mtu=1400/ageing=60/maxaddress=9/nolearning/local=2001:db8::9/fdb=02:00:00:00:00:09@2001:db8::3");
        Assert.Equal(["[2001:db8::1]:8472", "[2001:db8::2]:4790"], options.Remotes.Select(static remote => remote.ToString()));
        Assert.Equal((42, 4790, 1400, 60, 9, false, 70), (options.Vni, options.Port, options.Mtu, (int)options.Ageing.TotalSeconds, options.MostAddresses, options.Learns, options.Overhead));
        Assert.Equal(50, VxlanOptions.Parse("1/remote=192.0.2.1").Overhead);
        var kind = WireRegistry.Find("vxlan")!;
        Assert.True(kind.Accepts("42/remote=192.0.2.1"));
        Assert.False(kind.Accepts("x"));
        Assert.Equal("vxlan42", kind.DeviceOf("42/remote=192.0.2.1"));
    }

    private (VxlanWire A, VxlanWire B, VxlanWire C) Three() =>
        (_hub.Wire(A, $"1/remote={B}/remote={C}", 1), _hub.Wire(B, $"1/remote={A}/remote={C}", 2), _hub.Wire(C, $"1/remote={A}/remote={B}", 3));

    private HubPort PortOf(string address) => _hub.PortAt(new IpEndpoint(IpAddress.Parse(address), 4789));

    /// <summary>A frame of an experimental type, with so many bytes behind the header.</summary>
    private static byte[] Frame(int to, int from, int length = 50, byte mark = 7)
    {
        var frame = new byte[14 + length];
        new MacAddress(0x02_00_00_00_00_00UL | (uint)to).CopyTo(frame);
        new MacAddress(0x02_00_00_00_00_00UL | (uint)from).CopyTo(frame.AsSpan(6));
        (frame[12], frame[13], frame[^1]) = (0x12, 0x34, mark);
        return frame;
    }

    private int Write(VxlanWire wire, byte[] bytes)
    {
        var frame = _pool.RentCopy(bytes);
        var taken = wire.Write([frame]);
        frame.Release();
        return taken;
    }

    private List<byte[]> Read(VxlanWire wire)
    {
        var read = new List<byte[]>();
        var frames = new PacketBuffer[16];
        bool more;
        do
        {
            var count = wire.Read(_pool, frames, out more);
            for (var i = 0; i < count; i++)
            {
                read.Add(frames[i].Span.ToArray());
                frames[i].Release();
                frames[i] = null!;
            }
        }
        while (more);
        return read;
    }
}
