using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Tests.Wires;
using Tapwire.Tests.Wires.WireGuard;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The tap actor on a wire with a protocol of its own, behind the offloads in software.</summary>
public sealed class ProtocolWireSpecs : ActorSpec
{
    private readonly DiagnosingBufferPool _pool = new();
    private readonly ManualTime _time = new();
    private readonly TestProbe _stack;
    private readonly IActorRef _tap;
    private readonly Cable _cable;
    private WgQuickFile _file;

    public ProtocolWireSpecs()
    {
        _file = File(1);
        _cable = new Cable(new CableOptions { Medium = Medium.Ip, Mtu = 9000 }, _time);
        var port = new Tapwire.Wires.Udp.CablePort(_cable.A, new IpEndpoint(IpAddress.Parse("192.0.2.1"), 51820), _pool);
        var wire = SoftwareOffloadWire.Over(new WireGuardWire(new WireGuardParts("office", _file, () => _file, port, _time, new SeededBytes(1), EndpointResolver.HostLookup, _pool, 1420)), _pool);
        _stack = CreateTestProbe("stack");
        _tap = Sys.ActorOf(TapActor.Props(new TapContext(wire, () => throw new WireException("no"), new ManualReactor(), _pool, TimeProvider.System, 4, 8,
            TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(800))).WithDispatcher(VirtualTime.Dispatcher), "tap");
        _tap.Tell(new OpenWire(0), _stack);
        var up = _stack.ExpectMsg<WireUp>();
        Assert.Equal(("office", 1420), (up.Name, up.Mtu));
    }

    [Fact]
    public void Its_peers_and_counters_are_in_the_status()
    {
        var peer = Assert.Single(Status().Peers);
        Assert.Equal((_file.Peers[0].PublicKey.ToString(), new IpEndpoint(IpAddress.Parse("192.0.2.2"), 51820), null), (peer.PublicKey, peer.Endpoint, peer.SinceHandshake));
        var frame = _pool.RentCopy(InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        _tap.Tell(Frame.Of(frame), _stack);
        var status = Status();
        Assert.Equal(1, status.Counters["InitiationsSent"]);
        Assert.Equal((148, TimeSpan.Zero), (status.Peers[0].BytesSent, status.Peers[0].UnansweredFor));
    }

    [Fact]
    public void It_is_read_again_when_the_settings_are()
    {
        _file = File(1, 2);
        _tap.Tell(RereadWire.Instance);
        Assert.Equal(_file.Peers.Select(static each => each.PublicKey.ToString()), Status().Peers.Select(static each => each.PublicKey));
        _file = File(2);
        _tap.Tell(RereadWire.Instance);
        Assert.Equal(_file.Peers[0].PublicKey.ToString(), Assert.Single(Status().Peers).PublicKey);
    }

    protected override void AfterShutdown()
    {
        _cable.Dispose();
        _pool.AssertAllReturned();
    }

    private WireStatus Status()
    {
        _tap.Tell(GetStatus.Instance, _stack);
        return _stack.FishForMessage<TapStatus>(static _ => true).Wire;
    }

    private static WgQuickFile File(params int[] peers) => new("office")
    {
        PrivateKey = Key(0),
        Peers = [.. peers.Select(static number => new WireGuardPeerOptions(Curve25519.PublicOf(Key(number).Bytes), [IpPrefix.Parse($"10.0.0.{number + 1}/32")],
            Endpoint: new IpEndpoint(IpAddress.Parse("192.0.2.2"), 51820)))],
    };

    private static SecretKey Key(int seed)
    {
        var bytes = new byte[32];
        new SeededBytes(seed + 100).Fill(bytes);
        Curve25519.Clamp(bytes);
        return new SecretKey(bytes);
    }
}
