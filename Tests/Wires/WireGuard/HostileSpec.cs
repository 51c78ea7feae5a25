using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>What anybody may send to the port.</summary>
public sealed class HostileSpec : IDisposable
{
    private static readonly IpEndpoint Attacker = new(IpAddress.Parse("203.0.113.66"), 4444);

    private readonly WireGuardNetwork _net = new();

    public void Dispose() => _net.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(63)]
    [InlineData(65)]
    [InlineData(91)]
    [InlineData(93)]
    [InlineData(147)]
    [InlineData(149)]
    [InlineData(65507)]
    public void A_message_of_a_wrong_length_is_counted_and_not_answered(int length)
    {
        var (a, b) = _net.Pair();
        foreach (var type in (byte[])[0, 1, 2, 3, 5, 255])
        {
            var bytes = new byte[length];
            if (length > 0)
                bytes[0] = type;
            b.Take(new Datagram(Attacker, b.Address, bytes));
        }

        Assert.Equal(6, b.Counters[WireGuardDrop.Malformed]);
        Assert.Empty(_net.Sent);
        Assert.Equal(0, a.Counters.AllDrops);
    }

    [Fact]
    public void Reserved_bytes_are_zero()
    {
        var (_, b) = _net.Pair();
        for (var at = 1; at < 4; at++)
        {
            var bytes = new byte[148];
            (bytes[0], bytes[at]) = (1, 1);
            b.Take(new Datagram(Attacker, b.Address, bytes));
        }

        Assert.Equal(3, b.Counters[WireGuardDrop.Malformed]);
    }

    [Fact]
    public void A_bit_changed_anywhere_in_a_handshake_is_found()
    {
        var (a, b) = _net.Pair();
        _net.Passes = static _ => false;
        a.Send("10.0.0.1", "10.0.0.2");
        var initiation = _net.Sent.Single();
        // All but mac2, which counts only under load.
        for (var bit = 0; bit < 8 * (148 - 16); bit++)
        {
            var bytes = initiation.Bytes.ToArray();
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            b.Take(initiation with { Bytes = bytes });
        }

        Assert.Equal(8 * (148 - 16), b.Counters.AllDrops);
        Assert.Single(_net.Sent);
        Assert.Equal(0, b.Engine.Indices);
        _net.Passes = static _ => true;
        b.Take(initiation);
        _net.RunSeconds(1);
        Assert.Single(b.Packets);
    }

    [Fact]
    public void A_mutated_response_does_not_spoil_the_handshake()
    {
        var (a, b) = _net.Pair();
        _net.Passes = static datagram => datagram.Type != 2;
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        var response = _net.Sent.Single(static each => each.Type == 2);
        for (var at = 0; at < 92 - 16; at++)
        {
            var bytes = response.Bytes.ToArray();
            bytes[at] ^= 0x10;
            a.Take(response with { Bytes = bytes, From = Attacker });
        }

        Assert.Equal(76, a.Counters.AllDrops);
        Assert.Equal(b.Address, a.Peer.Endpoint);
        a.Take(response);
        _net.RunSeconds(1);
        Assert.Single(b.Packets);
    }

    [Fact]
    public void Under_load_a_sender_proves_its_address_first()
    {
        var limits = WireGuardLimits.Default with { HandshakesPerSecond = 10 };
        var (a, b) = _net.Pair(limits);
        Flood(b, 50);
        Assert.Equal(10, b.Counters[WireGuardDrop.UnknownPeer]);
        Assert.Equal(40, b.Counters[WireGuardDrop.NoCookie]);
        Assert.Equal(40, b.Counters.CookieRepliesSent);
        Assert.All(_net.Sent.Where(static each => each.Type == 3), each => Assert.Equal((Attacker, 64), (each.To, each.Bytes.Length)));

        // A peer takes the cookie of the reply, and is heard the next time, five seconds later, although the flood goes on.
        a.Send("10.0.0.1", "10.0.0.2");
        for (var i = 0; i < 60; i++)
        {
            Flood(b, 20);
            _net.RunSeconds(0.1);
        }

        Assert.Single(b.Packets);
        Assert.Equal(1, b.Counters.Handshakes);
    }

    [Fact]
    public void A_proven_address_has_an_allowance()
    {
        var limits = WireGuardLimits.Default with { HandshakesPerSecond = 0 };
        var (a, b) = _net.Pair(limits);
        var allowed = 0;
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(6);
        var initiation = _net.Sent.Last(static each => each.Type == 1);
        Assert.NotEqual(new byte[16], initiation.Bytes[^16..]);
        for (var i = 0; i < 100; i++)
        {
            var before = b.Counters[WireGuardDrop.RateLimited];
            b.Take(initiation);
            allowed += before == b.Counters[WireGuardDrop.RateLimited] ? 1 : 0;
        }

        Assert.InRange(allowed, 1, limits.HandshakeBurstOfAddress);
        // From elsewhere the cookie is worth nothing.
        var cookies = b.Counters.CookieRepliesSent;
        b.Take(initiation with { From = Attacker });
        Assert.Equal(cookies + 1, b.Counters.CookieRepliesSent);
    }

    [Fact]
    public void A_cookie_reply_counts_once_and_only_as_an_answer()
    {
        var limits = WireGuardLimits.Default with { HandshakesPerSecond = 0 };
        var (a, b) = _net.Pair(limits);
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        var reply = _net.Sent.Single(static each => each.Type == 3);
        a.Take(reply);
        Assert.Equal(1, a.Counters[WireGuardDrop.InvalidCookie]);
        var bytes = reply.Bytes.ToArray();
        bytes[40] ^= 1;
        a.Take(reply with { Bytes = bytes });
        Assert.Equal(2, a.Counters[WireGuardDrop.InvalidCookie]);
        bytes[4] ^= 1;
        a.Take(reply with { Bytes = bytes });
        Assert.Equal(1, a.Counters[WireGuardDrop.UnknownIndex]);
    }

    [Fact]
    public void A_genuine_message_with_nonsense_in_it_is_counted()
    {
        var (a, b) = _net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        _net.RunSeconds(1);
        var claims = InnerPackets.Make("10.0.0.1", "10.0.0.2", 40);
        claims[3] = 200;
        foreach (var packet in (byte[][])[claims, [0x45, .. new byte[15], 10, 0, 0, 2], [0x45, 0, 0, 19, .. new byte[12], 10, 0, 0, 2]])
        {
            var buffer = _net.Pool.RentCopy(packet);
            Assert.Equal(SendOutcome.Sent, a.Engine.Send(buffer, _net.Now));
            buffer.Release();
        }

        foreach (var packet in (byte[][])[[0x60, .. new byte[38]], [0x15, .. new byte[39]], [1]])
        {
            var buffer = _net.Pool.RentCopy(packet);
            Assert.Equal(SendOutcome.Dropped, a.Engine.Send(buffer, _net.Now));
            buffer.Release();
        }

        _net.RunSeconds(1);
        Assert.Equal(3, b.Counters[WireGuardDrop.MalformedPacket]);
        Assert.Equal(3, a.Counters[WireGuardDrop.MalformedPacket]);
        Assert.Single(b.Packets);
    }

    [Fact]
    public void Mutated_messages_change_nothing() => WireGuardHostility.Run(_net, 20_000, seed: 11);

    /// <summary>Initiations of somebody who knows the public key, and is no peer.</summary>
    private void Flood(WireGuardEnd victim, int count)
    {
        var stranger = new NoiseHandshake();
        using var secret = new SecretKey(Enumerable.Repeat((byte)0x48, 32).ToArray());
        using var identity = new WireGuardIdentity(secret);
        var jar = new CookieJar(victim.Engine.PublicKey);
        Span<byte> key = stackalloc byte[32];
        victim.Engine.PublicKey.CopyTo(key);
        var agreed = new byte[32];
        Tapwire.Wires.WireGuard.Crypto.Curve25519.TryAgree(secret.Bytes, key, agreed);
        var message = new byte[148];
        stranger.TryPutInitiation(message, identity, victim.Engine.PublicKey, agreed, new byte[12], 77, new SeededBytes(5));
        jar.PutMacs(message, _net.Now);
        for (var i = 0; i < count; i++)
            victim.Take(new Datagram(Attacker, victim.Address, message));
    }
}
