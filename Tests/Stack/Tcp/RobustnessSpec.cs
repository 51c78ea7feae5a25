using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Nothing from the wire throws, and every refusal is counted.</summary>
public class RobustnessSpec
{
    private static readonly IpAddress Ours = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress Theirs = IpAddress.Parse("192.0.2.2");

    private readonly PoisoningBufferPool _pool = new();
    private readonly SimHost _host;

    public RobustnessSpec() => _host = new SimHost(Ours, _pool, 1, new TcpOptions { MaxEmbryonic = 2 }) { EgressLimit = int.MaxValue };

    private void Arrive(ReadOnlySpan<byte> bytes, Instant now, bool group = false, ChecksumState checksum = ChecksumState.Verified, IpAddress? source = null)
    {
        var buffer = _pool.Rent(bytes.Length);
        bytes.CopyTo(buffer.Append(bytes.Length));
        buffer.Offload.Checksum = checksum;
        _host.Tcp.Receive(buffer, new IpReceiveInfo(source ?? Theirs, Ours, 64, 0, group), now);
    }

    private static byte[] Segment(TcpFlags flags, ushort from = 5000, ushort to = 80)
    {
        var header = new TcpHeader { SourcePort = from, DestinationPort = to, Flags = flags };
        var bytes = new byte[header.Length];
        header.Emit(bytes);
        return bytes;
    }

    [Fact]
    public void Every_refusal_has_its_reason()
    {
        var counters = _host.Counters;
        Arrive(new byte[19], Instant.Zero);
        Assert.Equal(1, counters.TcpInTruncated);
        Arrive(new byte[20], Instant.Zero);
        Assert.Equal(1, counters.TcpInBadOffset);
        Arrive(Segment(TcpFlags.Syn), Instant.Zero, checksum: ChecksumState.None);
        Assert.Equal(1, counters.TcpInCsumErrors);
        Arrive(Segment(TcpFlags.Syn), Instant.Zero, group: true);
        Assert.Equal(1, counters.TcpInToGroup);
        Arrive(Segment(TcpFlags.Syn, from: 0), Instant.Zero);
        Arrive(Segment(TcpFlags.Syn, to: 0), Instant.Zero);
        Arrive(Segment(TcpFlags.Syn), Instant.Zero, source: IpAddress.BroadcastV4);
        Arrive(Segment(TcpFlags.Syn), Instant.Zero, source: IpAddress.AnyV4);
        Assert.Equal(4, counters.TcpInBadAddress);
        Arrive(Segment(TcpFlags.None), Instant.Zero);
        Arrive(Segment(TcpFlags.Fin | TcpFlags.Psh | TcpFlags.Urg), Instant.Zero);
        Arrive(Segment(TcpFlags.Syn | TcpFlags.Fin), Instant.Zero);
        Assert.Equal(3, counters.TcpInBadFlags);
        Assert.Equal(11, counters.TcpInErrs);
        Assert.Equal(0, _host.Waiting);
        _pool.AssertAllReturned();
    }

    [Fact]
    public void A_checksum_that_the_device_vouches_for_is_not_looked_at()
    {
        Arrive(Segment(TcpFlags.Syn), Instant.Zero, checksum: ChecksumState.Partial);
        Assert.Equal(1, _host.Counters.TcpOutRsts);
        _host.Discard();
    }

    [Fact]
    public void Icmp_errors_about_strangers_or_cut_short_are_ignored()
    {
        var info = new IpReceiveInfo(Ours, Theirs, 64, 0, false);
        _host.Tcp.ErrorReceived(info, new byte[7], IcmpErrorKind.HostUnreachable, 0, Instant.Zero);
        _host.Tcp.ErrorReceived(info, new byte[8], IcmpErrorKind.PacketTooBig, 0, Instant.Zero);
        Assert.Equal(2, _host.Counters.TcpInIcmpIgnored);
    }

    /// <summary>Segments that are nearly right, at a listener, in all states that they themselves bring about.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Any_segments_leave_the_layer_whole(int seed)
    {
        var random = new Random(seed);
        var now = Instant.FromMilliseconds(1000);
        _host.Tcp.Listen(new IpEndpoint(Ours, 80), 4, new TcpSocketOptions { FastOpenQueue = 2 }, out var listener);
        var cookie = _host.Tcp.Secrets.FastOpenCookieFor(new TcpPair(new IpEndpoint(Ours, 80), new IpEndpoint(Theirs, 5000)));
        var sockets = new List<TcpSocket>();
        uint theirs = 0;
        uint ours = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var header = new TcpHeader
            {
                SourcePort = (ushort)random.Next(5000, 5003),
                DestinationPort = 80,
                Flags = random.Next(4) switch { 0 => TcpFlags.Syn, 1 => (TcpFlags)random.Next(256), _ => TcpFlags.Ack },
                Sequence = Near(random, theirs),
                Acknowledgment = Near(random, ours),
                Window = (ushort)random.Next(65536),
                UrgentPointer = (ushort)random.Next(65536),
                HasTimestamp = random.Next(2) == 0,
                TimestampValue = (uint)random.Next(1000),
                SackPermitted = random.Next(2) == 0,
                HasFastOpen = random.Next(4) == 0,
                FastOpenCookie = random.Next(2) == 0 ? cookie : default,
            };
            header.SackCount = (byte)(!header.HasFastOpen && random.Next(3) == 0 ? random.Next(3) : 0);
            for (var block = 0; block < header.SackCount; block++)
                header.Sacks[block] = new SackBlock(Near(random, ours), Near(random, ours));
            var payload = random.Next(3) == 0 ? random.Next(3000) : 0;
            var bytes = new byte[header.Length + payload];
            header.Emit(bytes);
            if (random.Next(20) == 0)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            theirs = header.Sequence + (uint)payload + (header.Has(TcpFlags.Syn) ? 1u : 0);
            Arrive(bytes, now);
            if (random.Next(3) == 0)
            {
                now += TimeSpan.FromMilliseconds(random.Next(300));
                _host.Poll(now);
            }

            while (_host.TryDequeue(out var packet, out _))
            {
                TcpHeader.TryParse(packet.Span, out var sent, out _);
                ours = sent.Sequence + (uint)(packet.TotalLength - sent.Length) + (sent.Has(TcpFlags.Syn | TcpFlags.Fin) ? 1u : 0);
                if (sent.Has(TcpFlags.Ack))
                    theirs = sent.Acknowledgment;
                packet.Release();
            }

            Use(random, listener!, sockets, now);
        }

        Assert.True(_host.Counters.TcpPassiveOpens > 10, "the run gets beyond the handshake");
        Assert.True(_host.Counters.TcpExtTCPFastOpenPassive > 0, "some connections open fast");
        Assert.True(_host.Counters.TcpExtSyncookiesSent > 10, "some SYNs are answered with cookies");
        listener!.Close(now);
        foreach (var socket in sockets)
            socket.Abort(now);
        for (var end = now + TimeSpan.FromHours(1); _host.Timers.NextDeadline < end;)
            _host.Poll(_host.Timers.NextDeadline);
        _host.Discard();
        Assert.Equal((0, 0, 0), (_host.Tcp.Count, _host.Tcp.EmbryonicCount, _host.Tcp.TimeWaitCount));
        _pool.AssertAllReturned();
    }

    private static uint Near(Random random, uint value) => random.Next(4) switch
    {
        0 => value + (uint)random.Next(-70_000, 70_000),
        1 => value + (uint)random.Next(-3, 4),
        _ => value,
    };

    private void Use(Random random, TcpListener listener, List<TcpSocket> sockets, Instant now)
    {
        if (listener.Accept() is { } accepted)
            sockets.Add(accepted);
        while (_host.Events.TryDequeue(out _, out _))
        {
        }

        if (sockets.Count == 0 || random.Next(4) != 0)
            return;
        var socket = sockets[random.Next(sockets.Count)];
        switch (random.Next(8))
        {
            case 0:
                socket.ShutdownSend(now);
                break;
            case 1 when random.Next(10) == 0:
                socket.Close(now);
                sockets.Remove(socket);
                break;
            case < 4:
                PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
                socket.Consumed(bytes, now);
                break;
            default:
                var buffer = _pool.Rent(random.Next(1, 5000));
                buffer.Append(random.Next(1, 1000) % (buffer.Tailroom + 1));
                socket.Write(buffer, now, urgent: random.Next(4) == 0);
                break;
        }
    }
}
