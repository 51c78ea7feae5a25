using System.Net.Sockets;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Two wires in virtual time, over the twin of their sockets.</summary>
public sealed class WireGuardWireSpec : IDisposable
{
    private static readonly IpEndpoint AtA = new(IpAddress.Parse("192.0.2.1"), 51820);
    private static readonly IpEndpoint AtB = new(IpAddress.Parse("192.0.2.2"), 51820);

    private readonly ManualTime _time = new();
    private readonly DiagnosingBufferPool _pool = new();
    private readonly SecretKey _keyA = Key(1);
    private readonly SecretKey _keyB = Key(2);
    private readonly List<WireGuardWire> _wires = [];
    private readonly HashSet<string> _names = [];
    private IReadOnlyList<IpAddress> _answer = [AtB.Address];
    private int _reports;

    public void Dispose()
    {
        _wires.ForEach(static wire => wire.Dispose());
        _pool.AssertAllReturned();
    }

    [Fact]
    public void Packets_of_all_sizes_pass_in_order_and_their_buffers_return()
    {
        var (a, b) = Pair(CableImpairments.None);
        var sent = new List<byte[]>();
        for (var i = 0; i < 300; i++)
        {
            sent.Add(InnerPackets.Make("10.0.0.1", "10.0.0.2", i * 97 % 1400, (byte)i));
            Write(a, sent[^1]);
            if (i == 0)
                Exchange(a, b);
        }

        var received = Read(b);
        received.InsertRange(0, _first);
        Assert.Equal(sent, received);
        Assert.Equal(0, a.Refused + b.Refused);
    }

    [Fact]
    public void A_timer_wakes_the_owner_at_the_engines_deadline_and_not_without_one()
    {
        var (a, b) = Pair(CableImpairments.None);
        Assert.Equal(0, _time.ArmedTimers);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        Exchange(a, b);
        var before = _reports;
        _time.Advance(TimeSpan.FromSeconds(9));
        Read(b);
        Assert.Equal(0, Count(a, "KeepalivesReceived"));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(_reports > before);
        Read(b);
        Read(a);
        Assert.Equal(1, Count(a, "KeepalivesReceived"));
    }

    [Fact]
    public void A_lossy_path_carries_a_session_for_an_hour()
    {
        var path = new CableImpairments { Latency = TimeSpan.FromMilliseconds(25), Loss = 0.01, Reorder = 0.01, ReorderDelay = TimeSpan.FromMilliseconds(5), Duplicate = 0.01 };
        var (a, b) = Pair(path);
        var received = 0;
        for (var i = 0; i < 3600; i++)
        {
            Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 1000));
            for (var part = 0; part < 4; part++)
            {
                _time.Advance(TimeSpan.FromMilliseconds(250));
                received += Read(b).Count;
                Read(a);
            }
        }

        Assert.InRange(received, 3480, 3600);
        Assert.InRange(Count(a, "Handshakes"), 28, 40);
    }

    [Fact]
    public void A_silent_peer_is_in_the_log_and_in_the_status_since_when()
    {
        var (a, b) = Pair(CableImpairments.None with { Loss = 1 });
        Notices(a);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        for (var i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            Read(a);
        }

        var notice = Assert.Single(Notices(a));
        Assert.Equal(WireNoticeLevel.Warning, notice.Level);
        Assert.StartsWith($"The WireGuard peer {Curve25519.PublicOf(_keyB.Bytes)} at 192.0.2.2:51820 has not answered for 5 s: ", notice.Text, StringComparison.Ordinal);
        Assert.Equal(6, Assert.Single(a.Peers).UnansweredFor!.Value.TotalSeconds);
        Assert.Null(a.Peers[0].SinceHandshake);

        // It says so once a minute.
        for (var i = 0; i < 50; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            Read(a);
        }

        Assert.Empty(Notices(a));
        Assert.Null(b.Peers[0].UnansweredFor);
    }

    [Fact]
    public void Status_has_what_wg_show_has()
    {
        var (a, b) = Pair(CableImpairments.None);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        Exchange(a, b);
        _time.Advance(TimeSpan.FromSeconds(3));
        var peer = Assert.Single(a.Peers);
        Assert.Equal((Curve25519.PublicOf(_keyB.Bytes).ToString(), AtB, "10.0.0.2/32", TimeSpan.FromSeconds(3), null, TimeSpan.Zero),
            (peer.PublicKey, peer.Endpoint, string.Join(",", peer.AllowedIps), peer.SinceHandshake, peer.UnansweredFor, peer.PersistentKeepalive));
        Assert.Equal(148 + 64, peer.BytesSent);
        Assert.Equal(92, peer.BytesReceived);
    }

    [Fact]
    public void A_name_is_looked_up_and_again_when_the_peer_falls_silent()
    {
        var file = File(_keyA, new WireGuardPeerOptions(Curve25519.PublicOf(_keyB.Bytes), [IpPrefix.Parse("10.0.0.2/32")], EndpointName: "vpn.example:51820"));
        var (a, b) = Pair(CableImpairments.None, file);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        Exchange(a, b);
        Assert.Single(_first);
        Assert.Equal(["vpn.example"], _names);

        // The peer is elsewhere now, and its name says where.
        var moved = new IpEndpoint(IpAddress.Parse("198.51.100.9"), 51820);
        _portB!.Own = moved;
        _answer = [moved.Address];
        _first.Clear();
        for (var i = 0; i < 40 && _first.Count == 0; i++)
        {
            Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
            _time.Advance(TimeSpan.FromSeconds(1));
            Exchange(a, b);
        }

        Assert.NotEmpty(_first);
        Assert.Equal(moved, a.Peers[0].Endpoint);
    }

    [Fact]
    public void A_name_without_an_address_is_said_and_looked_up_again()
    {
        _answer = [];
        var file = File(_keyA, new WireGuardPeerOptions(Curve25519.PublicOf(_keyB.Bytes), [IpPrefix.Parse("10.0.0.2/32")], EndpointName: "vpn.example:51820"));
        var (a, b) = Pair(CableImpairments.None, file);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        Read(a);
        Assert.Contains(Notices(a), static notice => notice.Text.Contains("vpn.example:51820", StringComparison.Ordinal) && notice.Text.EndsWith("it is looked up again", StringComparison.Ordinal));
        _answer = [AtB.Address];
        _time.Advance(TimeSpan.FromSeconds(3));
        Exchange(a, b);
        Assert.Single(_first);
    }

    [Fact]
    public void Peers_come_go_and_change_when_the_file_is_read_again()
    {
        var stranger = new WireGuardPeerOptions(Curve25519.PublicOf(Key(9).Bytes), [IpPrefix.Parse("10.9.0.0/16")]);
        var peerB = new WireGuardPeerOptions(Curve25519.PublicOf(_keyB.Bytes), [IpPrefix.Parse("10.0.0.2/32")], Endpoint: AtB);
        var next = File(_keyA, peerB);
        var (a, b) = Pair(CableImpairments.None, File(_keyA, peerB), () => next);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 10));
        Exchange(a, b);
        Notices(a);

        a.Reread();
        Assert.Empty(Notices(a));
        next = File(_keyA, peerB with { AllowedIps = [IpPrefix.Parse("10.0.0.0/24")] }, stranger);
        a.Reread();
        Assert.Equal([$"The WireGuard peer {peerB.PublicKey} has been changed", $"The WireGuard peer {stranger.PublicKey} has been added"], Notices(a).Select(static each => each.Text));
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.77", 10));
        Assert.Single(Read(b));

        next = File(_keyA, stranger);
        a.Reread();
        Assert.Equal([$"The WireGuard peer {peerB.PublicKey} has been removed"], Notices(a).Select(static each => each.Text));
        next = File(_keyB, stranger);
        a.Reread();
        Assert.Contains("another PrivateKey takes effect at the next start", Assert.Single(Notices(a)).Text, StringComparison.Ordinal);
        _broken = "a, line 3: nonsense.";
        a.Reread();
        Assert.Equal("The peers stay as they are: a, line 3: nonsense", Assert.Single(Notices(a)).Text);
        Assert.Equal(stranger.PublicKey.ToString(), Assert.Single(a.Peers).PublicKey);
    }

    [Fact]
    public void A_packet_above_the_MTU_is_refused_and_counted()
    {
        var (a, _) = Pair(CableImpairments.None);
        Write(a, InnerPackets.Make("10.0.0.1", "10.0.0.2", 1401));
        Assert.Equal(1, a.Refused);
        Assert.Equal(1, Count(a, "DropTooLong"));
    }

    [Fact]
    public void The_kind_reads_its_file_and_refuses_what_a_tunnel_cannot_have()
    {
        var kind = WireRegistry.Find("wg")!;
        Assert.Equal(("office", "tunnel.txt"), (kind.DeviceOf("/etc/wireguard/office.conf"), kind.DeviceOf("tunnel.txt")));
        Assert.False(kind.Accepts(""));
        Assert.False(kind.Accepts("dir/"));
        Assert.False(kind.Accepts(".conf"));
        Assert.Contains("one queue", Assert.Throws<WireException>(() => kind.Open("x.conf", new WireRequest { MultiQueue = true })).Message, StringComparison.Ordinal);
        Assert.Contains("--peer-address", Assert.Throws<WireException>(() => kind.Open("x.conf", new WireRequest { PeerAddresses = [IpPrefix.Parse("10.0.0.1/24")] })).Message, StringComparison.Ordinal);
        Assert.Contains("There is no WireGuard configuration", Assert.Throws<WireException>(() => kind.Open("/nowhere/x.conf", new WireRequest())).Message, StringComparison.Ordinal);
    }

    private readonly List<byte[]> _first = [];
    private CablePort? _portB;
    private string _broken = "";

    private (WireGuardWire A, WireGuardWire B) Pair(CableImpairments path, WgQuickFile? fileA = null, Func<WgQuickFile>? again = null)
    {
        var cable = new Cable(new CableOptions { Medium = Tapwire.Stack.Interfaces.Medium.Ip, Mtu = 9000, AToB = path, BToA = path }, _time);
        fileA ??= File(_keyA, new WireGuardPeerOptions(Curve25519.PublicOf(_keyB.Bytes), [IpPrefix.Parse("10.0.0.2/32")], Endpoint: AtB));
        var fileB = File(_keyB, new WireGuardPeerOptions(Curve25519.PublicOf(_keyA.Bytes), [IpPrefix.Parse("10.0.0.1/32")]));
        _portB = new CablePort(cable.B, AtB, _pool);
        var a = Make("a", fileA, again ?? (() => fileA), new CablePort(cable.A, AtA, _pool), 1);
        var b = Make("b", fileB, () => fileB, _portB, 2);
        return (a, b);
    }

    private WireGuardWire Make(string name, WgQuickFile file, Func<WgQuickFile> again, IDatagramPort port, int seed)
    {
        var wire = new WireGuardWire(new WireGuardParts(name, file, () => _broken.Length > 0 ? throw new WireException(_broken) : again(), port, _time, new SeededBytes(seed), LookUp, _pool, file.Mtu));
        _wires.Add(wire);
        wire.Start(new NoReactor(), _ => _reports++);
        return wire;
    }

    private Task<IReadOnlyList<IpAddress>> LookUp(string host, CancellationToken cancel)
    {
        _names.Add(host);
        return _answer.Count > 0 ? Task.FromResult(_answer) : Task.FromException<IReadOnlyList<IpAddress>>(new SocketException((int)SocketError.HostNotFound));
    }

    private WgQuickFile File(SecretKey key, params WireGuardPeerOptions[] peers) => new("a") { PrivateKey = key.Copy(), Peers = peers };

    private void Write(WireGuardWire wire, byte[] packet)
    {
        var frame = _pool.RentCopy(packet);
        Assert.Equal(1, wire.Write([frame]));
        frame.Release();
    }

    private List<byte[]> Read(WireGuardWire wire)
    {
        var frames = new PacketBuffer[8];
        var packets = new List<byte[]>();
        bool more;
        do
        {
            Array.Clear(frames);
            var count = wire.Read(_pool, frames, out more);
            for (var i = 0; i < count; i++)
            {
                packets.Add(frames[i].Span.ToArray());
                frames[i].Release();
            }
        }
        while (more);
        return packets;
    }

    /// <summary>Both read until the handshake is through.</summary>
    private void Exchange(WireGuardWire a, WireGuardWire b)
    {
        for (var i = 0; i < 3; i++)
        {
            Read(a);
            _first.AddRange(Read(b));
        }
    }

    private static List<WireNotice> Notices(WireGuardWire wire)
    {
        var notices = new List<WireNotice>();
        while (wire.TryTakeNotice(out var notice))
            notices.Add(notice);
        return notices;
    }

    private static long Count(WireGuardWire wire, string counter) => wire.Counters.GetValueOrDefault(counter);

    private static SecretKey Key(int seed) => new SeededBytes(seed).Key();

    private sealed class NoReactor : IReactor, IRegistration
    {
        public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state) => this;

        public void SetInterest(Readiness interest)
        {
        }

        public void Dispose()
        {
        }
    }
}
