using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Header, options and segment sizes (RFC 9293, 3.1, 3.2, 3.7.1), and what is handed to the IP layer (3.9.2).</summary>
public class Rfc9293HeaderSpec
{
    private static readonly IpAddress V4 = IpAddress.Parse("192.0.2.2");
    private static readonly IpAddress V6 = IpAddress.Parse("2001:db8::2");

    [Fact]
    public void Options_are_received_in_any_segment_and_those_of_a_syn_change_nothing_later() => new TcpScript().Run(TcpScript.Accepted + """
        +0 < P. 1:11(10) ack 1 win 65535 <mss 100,sackOK,wscale 9>
        +0 > . 1:1(0) ack 11 <>
        +0 write 1460
        +0 > P. 1:1461(1460) ack 11 <>
        +1ms < . 11:11(0) ack 1461 win 30000 <mss 100,wscale 9>
        +0 write 1461
        +0 > . 1461:2921(1460) ack 11 <>
        +0 > P. 2921:2922(1) ack 11 <>
        """).AssertNoLeak();

    [Fact]
    public void The_segment_size_is_announced_in_every_syn_and_nowhere_else() => new TcpScript { Options = new TcpOptions { Timestamps = false, SelectiveAck = false, WindowScaling = false } }.Run("""
        +0 connect
        +0 > S 0:0(0) <mss 1460>
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1 <mss 1460>
        +0 < . 1:1(0) ack 1 win 65535
        +0 write 10
        +0 > P. 1:11(10) ack 1 <>
        +0 < P. 1:11(10) ack 11 win 65535
        +0 > . 11:11(0) ack 11 <>
        +0 shutdown
        +0 > F. 11:11(0) ack 11 <>
        +0 abort
        +0 > R. 12:12(0) ack 11 <>
        """).AssertNoLeak();

    [Fact]
    public void Options_are_read_at_any_alignment()
    {
        foreach (var padding in new[] { 0, 1, 2, 3 })
        {
            var segment = new byte[TcpHeader.MinLength + 20];
            segment[12] = 10 << 4;
            var options = segment.AsSpan(TcpHeader.MinLength);
            options[..padding].Fill(1);
            ((ReadOnlySpan<byte>)[3, 3, 7, 2, 4, 5, 0xB4, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]).CopyTo(options[padding..]);
            Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(segment, out var header, out _));
            Assert.Equal((7, 1460, 1u, 2u), (header.WindowScale, header.Mss, header.TimestampValue, header.TimestampEcho));
        }
    }

    [Fact]
    public void Every_option_that_is_sent_has_a_length_and_the_list_fills_whole_words()
    {
        for (var bits = 0; bits < 32; bits++)
        {
            var header = new TcpHeader
            {
                Flags = TcpFlags.Syn, Mss = (ushort)((bits & 1) * 1460), HasWindowScale = (bits & 2) != 0, SackPermitted = (bits & 4) != 0,
                HasTimestamp = (bits & 8) != 0, SackCount = (byte)((bits & 16) >> 4),
            };
            var bytes = new byte[header.Length];
            bytes.AsSpan().Fill(0xA5);
            header.Emit(bytes);
            Assert.Equal(0, header.Length % 4);
            Assert.Equal(0, bytes[12] & 0xF);
            Assert.Equal(header.Length, (bytes[12] >> 4) * 4);
            var options = bytes.AsSpan(TcpHeader.MinLength);
            while (!options.IsEmpty)
            {
                // Padding is done with NOP in front: none stands behind the end of the list.
                Assert.NotEqual(0, options[0]);
                options = options[(options[0] == 1 ? 1 : options[1])..];
            }
        }
    }

    [Fact]
    public void A_list_of_options_that_cannot_be_walked_costs_the_segment_and_not_the_connection()
    {
        var script = new TcpScript { IsOfV4Only = true }.Run(TcpScript.Accepted);
        var segment = new byte[TcpHeader.MinLength + 4];
        new TcpHeader { SourcePort = 50000, DestinationPort = 8080, Flags = TcpFlags.Ack }.Emit(segment);
        segment[12] = 6 << 4;
        segment[TcpHeader.MinLength] = 30;
        var buffer = script.Host.Pool.Rent(segment.Length);
        segment.CopyTo(buffer.Append(segment.Length));
        SimChecksum.Fill(buffer.Span, V4, script.Host.Address);
        script.Host.Tcp.Receive(buffer, new IpReceiveInfo(V4, script.Host.Address, 64, 0, false), Instant.Zero);
        script.Run("""
            +0 counter TcpInBadOptions 1
            +0 no-event
            +0 state Established
            """).AssertNoLeak();
    }

    [Fact]
    public void The_announced_segment_size_is_what_the_interface_receives()
    {
        Assert.Equal(1460, SynOptions.AnnouncedMss(1500, V4, 0));
        Assert.Equal(1440, SynOptions.AnnouncedMss(1500, V6, 0));
        Assert.Equal(8960, SynOptions.AnnouncedMss(9000, V4, 0));
        Assert.Equal(536, SynOptions.AnnouncedMss(576, V4, 0));
        Assert.Equal(1000, SynOptions.AnnouncedMss(1500, V4, 1000));
        Assert.Equal(65495, SynOptions.AnnouncedMss(65535, V4, 0));
        Assert.Equal(65535, SynOptions.AnnouncedMss(1 << 20, V6, 0));
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", 536)]
    [InlineData("2001:db8::1", "2001:db8::2", 1220)]
    public void Whoever_announces_no_segment_size_is_sent_the_default(string own, string peer, int size)
    {
        var pool = new PoisoningBufferPool();
        var host = new SimHost(IpAddress.Parse(own), pool, 1, new TcpOptions { Timestamps = false });
        Assert.Equal(StackError.None, host.Tcp.Connect(new IpEndpoint(IpAddress.Parse(peer), 80), default, default, Instant.Zero, out var socket));
        host.Poll(Instant.Zero);
        Assert.True(host.TryDequeue(out var syn, out _));
        TcpHeader.TryParse(syn.Span, out var sent, out _);
        syn.Release();
        var answer = new TcpHeader
        {
            SourcePort = 80, DestinationPort = sent.SourcePort, Flags = TcpFlags.Syn | TcpFlags.Ack, Acknowledgment = sent.Sequence + 1, Window = 65535,
        };
        var buffer = pool.Rent(answer.Length);
        answer.Emit(buffer.Append(answer.Length));
        buffer.Offload.Checksum = Tapwire.Stack.Buffers.ChecksumState.Verified;
        host.Tcp.Receive(buffer, new IpReceiveInfo(IpAddress.Parse(peer), host.Address, 64, 0, false), Instant.Zero);
        Assert.Equal((TcpState.Established, size), (socket!.State, socket.Info.SegmentSize));
        socket.Abort(Instant.Zero);
        host.Poll(Instant.Zero);
        host.Discard();
        pool.AssertAllReturned();
    }

    [Fact]
    public void Reports_of_what_arrived_take_their_room_from_the_payload() => new TcpScript().Run(TcpScript.AcceptedWithSack + """
        +0 < . 1461:2921(1460) ack 1 win 65535
        +0 > . 1:1(0) ack 1 <sack 1461:2921>
        +0 nodelay
        +0 write 2900
        +0 > . 1:1449(1448) ack 1 <sack 1461:2921>
        +0 > . 1449:2897(1448) ack 1 <sack 1461:2921>
        +0 > P. 2897:2901(4) ack 1 <sack 1461:2921>
        """).AssertNoLeak();

    [Fact]
    public void The_window_is_an_unsigned_number_of_thirty_bits()
    {
        var script = new TcpScript().Run(TcpScript.Accepted);
        Assert.Equal(65535, script.Socket.Info.SendWindow);
        script = new TcpScript().Run("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460,wscale 14>
            +0 > S. 0:0(0) ack 1
            +0 < . 1:1(0) ack 1 win 65535
            +0 accept
            """);
        Assert.Equal(65535L << 14, script.Socket.Info.SendWindow);
        script.AssertNoLeak();
    }

    [Fact]
    public void The_window_of_a_syn_ack_is_not_scaled_after_a_simultaneous_open_either() => new TcpScript().Run("""
        +0 connect
        +0 > S 0:0(0)
        +0 < S 0:0(0) win 1000 <mss 1460,wscale 3>
        +0 > S. 0:0(0) ack 1
        +0 < S. 0:0(0) ack 1 win 1000 <mss 1460,wscale 3>
        +0 connected
        +0 write 3000
        +0 > . 1:1001(1000) ack 1
        """).AssertNoLeak();

    [Fact]
    public void Hop_limit_and_differentiated_services_field_are_the_applications_in_every_segment()
    {
        var script = new TcpScript { SocketOptions = new TcpSocketOptions { HopLimit = 255, TrafficClass = 0xB8 } };
        void Sends(string lines, byte hopLimit = 255, byte trafficClass = 0xB8)
        {
            script.Run(lines);
            Assert.Equal((hopLimit, trafficClass), (script.LastSent.HopLimit, script.LastSent.TrafficClass));
            Assert.Equal((script.Host.Address, V4), (script.LastSent.Source, script.LastSent.Destination));
        }

        Sends("""
            +0 listen
            +0 < S 0:0(0) win 65535 <mss 1460>
            +0 > S. 0:0(0) ack 1
            """);
        Sends("""
            +0 < . 1:1(0) ack 1 win 65535
            +0 accept
            +0 write 10
            +0 > P. 1:11(10) ack 1
            """);
        Sends("+200ms > P. 1:11(10) ack 1");
        script.Socket.SetOptions(script.Socket.Options with { HopLimit = 3, TrafficClass = 0x28 }, Instant.FromMilliseconds(10_000_200));
        Sends("""
            +0 shutdown
            +0 > F. 11:11(0) ack 1
            """, 3, 0x28);
        Sends("""
            +0 < F. 1:1(0) ack 12 win 65535
            +0 > . 12:12(0) ack 2
            """, 3, 0x28);
        Sends("""
            +1s < F. 1:1(0) ack 12 win 65535
            +0 > . 12:12(0) ack 2
            """, 3, 0x28);
        script.AssertNoLeak();
    }

    [Theory]
    [InlineData("10.0.0.255")]
    [InlineData("255.255.255.255")]
    [InlineData("224.0.0.1")]
    public void Nobody_connects_to_a_group(string address)
    {
        using var h = new StackHarness();
        Assert.Equal(
            StackError.NetworkUnreachable, h.Stack.Tcp.Connect(new IpEndpoint(IpAddress.Parse(address), 80), default, default, h.Now, out _));
        h.Silent();
    }

    [Fact]
    public void Resets_carry_a_timestamp_once_timestamps_are_agreed_on() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 65535 <TS val 1010 ecr 0>
        +0 accept
        +0 abort
        +0 > R. 1:1(0) ack 1 <TS val 10 ecr 1010>
        """).AssertNoLeak();

    [Fact]
    public void A_segment_with_a_wrong_acknowledgement_does_not_set_the_timestamp_that_others_are_measured_by() => new TcpScript { Options = new TcpOptions() }.Run("""
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,TS val 1000 ecr 0>
        +0 > S. 0:0(0) ack 1
        +10ms < . 1:1(0) ack 1 win 65535 <TS val 1010 ecr 0>
        +0 accept
        +0 < . 1:1(0) ack 5000 win 65535 <TS val 900000000 ecr 0>
        +0 > . 1:1(0) ack 1
        +0 < P. 1:101(100) ack 1 win 65535 <TS val 1020 ecr 0>
        +0 > . 1:1(0) ack 101 <TS val 10 ecr 1020>
        +0 read 100
        """).AssertNoLeak();
}
