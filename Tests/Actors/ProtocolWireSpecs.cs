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
using Tapwire.Wires.Capture;
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
    public void A_capture_of_its_outer_side_has_its_datagrams_and_one_of_its_inner_side_has_not()
    {
        var writer = CreateTestProbe("writer");
        var (outer, inner) = (new CaptureFeed(new CaptureOptions { Outer = true }), new CaptureFeed(new CaptureOptions()));
        _tap.Tell(new JoinCapture(inner, writer), writer);
        _tap.Tell(new JoinCapture(outer, writer), writer);
        writer.ExpectMsg<CaptureJoined>();
        writer.ExpectMsg<CaptureJoined>();
        _tap.Tell(Frame.Of(_pool.RentCopy(InnerPackets.Make("10.0.0.1", "10.0.0.2", 10))), _stack);
        var captured = writer.ExpectMsg<CapturedPackets>();
        Assert.Equal(outer, captured.Feed);
        var packet = captured.First.Span[Pcapng.PacketHeaderLength..];
        // The initiation, with the class of handshakes, from the wire's port to the peer's.
        Assert.Equal([0x45, 0x88, 0, 20 + 8 + 148], packet[..4].ToArray());
        Assert.Equal([192, 0, 2, 2], packet[16..20].ToArray());
        Assert.Equal([0xCA, 0x6C, 0xCA, 0x6C, 0, 8 + 148, 0, 0, 1], packet[20..29].ToArray());
        captured.Release();
        Assert.Equal("(outer)", Assert.Single(outer.Interfaces).Name.Trim());
        Assert.Empty(inner.Interfaces);
        _tap.Tell(new LeaveCapture(outer), writer);
        writer.ExpectMsg<CaptureLeft>();
        _time.Advance(TimeSpan.FromSeconds(6));
        Status();
        Assert.False(writer.HasMessages);
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
