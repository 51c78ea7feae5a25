using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires.Offload;
using Tapwire.Wires;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Whole stacks over a tunnel whose keys change, and whose ends move, while a stream fills it: what TCP sees of it must be nothing.</summary>
public sealed class RekeyUnderLoadSpec
{
    private const int Bytes = 24 << 20;

    private static readonly IpEndpoint AtA = new(IpAddress.Parse("192.0.2.1"), 51820);
    private static readonly IpEndpoint AtB = new(IpAddress.Parse("192.0.2.2"), 51820);

    private readonly ManualTime _time = new();
    private readonly DiagnosingBufferPool _pool = new();
    private CablePort? _portA;
    private WireGuardWire? _wireA;
    private WireGuardWire? _wireB;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Keys_change_under_load_and_no_segment_is_lost(bool isV6)
    {
        using var pair = Pair(new CableImpairments { Latency = TimeSpan.FromMilliseconds(10), BitsPerSecond = 600_000 }, isV6);
        pair.Transfer(Bytes, 1 << 20, TimeSpan.FromMinutes(20));

        // REKEY_AFTER_TIME is two minutes, and the transfer takes almost six.
        Assert.InRange(_time.Now, TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(8));
        Assert.InRange(Handshakes(_wireA!), _time.Now.TotalMinutes / 2, _time.Now.TotalMinutes / 2 + 1);
        Assert.Equal(0, pair.A.Counters.Tcp.TcpRetransSegs + pair.B.Counters.Tcp.TcpRetransSegs);
        Assert.Equal(0, _wireA!.Refused + _wireB!.Refused);
    }

    [Fact]
    public void Keys_change_on_a_path_that_loses_and_reorders_and_the_stream_is_whole()
    {
        var path = new CableImpairments
        {
            Latency = TimeSpan.FromMilliseconds(25), Loss = 0.01, Reorder = 0.01, ReorderDelay = TimeSpan.FromMilliseconds(5), Duplicate = 0.01, BitsPerSecond = 600_000,
        };
        using var pair = Pair(path, isV6: false);
        pair.Transfer(Bytes, 1 << 20, TimeSpan.FromMinutes(60));
        Assert.InRange(Handshakes(_wireA!), _time.Now.TotalMinutes / 2, _time.Now.TotalMinutes);
        Assert.NotEqual(0, pair.A.Counters.Tcp.TcpRetransSegs);
    }

    [Fact]
    public void An_end_that_moves_every_minute_keeps_its_connection()
    {
        using var pair = Pair(new CableImpairments { Latency = TimeSpan.FromMilliseconds(10), BitsPerSecond = 600_000 }, isV6: false);
        var moves = 0;
        pair.Looking = now =>
        {
            if (now < TimeSpan.FromMinutes(moves + 1))
                return;
            moves++;
            _portA!.Own = new IpEndpoint(IpAddress.Parse($"198.51.100.{moves}"), 4500);
        };
        pair.Transfer(Bytes, 1 << 20, TimeSpan.FromMinutes(20));
        Assert.InRange(moves, 5, 20);
        Assert.Equal(_portA!.Own, Assert.Single(_wireB!.Peers).Endpoint);
    }

    private static double Handshakes(WireGuardWire wire) => wire.Counters.GetValueOrDefault("Handshakes");

    private WiredPair Pair(CableImpairments path, bool isV6)
    {
        var cable = new Cable(new CableOptions { Medium = Medium.Ip, Mtu = 9000, AToB = path, BToA = path }, _time);
        _portA = new CablePort(cable.A, AtA, _pool);
        var (keyA, keyB) = (new SeededBytes(1).Key(), new SeededBytes(2).Key());
        _wireA = Wire(keyA, keyB, 2, AtB, _portA);
        _wireB = Wire(keyB, keyA, 1, null, new CablePort(cable.B, AtB, _pool));
        // A handshake stands behind what the line holds already, and one that takes longer than REKEY_TIMEOUT (5 s) is begun anew: a second of data in the queue leaves it time.
        return new WiredPair(_time, _pool, cable, _wireA, _wireB, new TcpOptions { SendBuffer = 64 << 10 }, isV6) { Step = TimeSpan.FromMilliseconds(5) };
    }

    private WireGuardWire Wire(SecretKey own, SecretKey peer, int host, IpEndpoint? endpoint, CablePort port)
    {
        var allowed = new[] { IpPrefix.Parse($"10.0.0.{host}/32"), IpPrefix.Parse($"fd00::{host}/128") };
        var file = new WgQuickFile("tunnel") { PrivateKey = own.Copy(), Peers = [new WireGuardPeerOptions(Curve25519.PublicOf(peer.Bytes), allowed, Endpoint: endpoint)] };
        return new WireGuardWire(new WireGuardParts($"host{host}", file, () => file, port, _time, new SeededBytes(host), static (_, _) => throw new NotSupportedException(), _pool, file.Mtu));
    }
}
