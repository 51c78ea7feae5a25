using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Several listeners on one port (SO_REUSEPORT), and who may share a port at all: the table of inet_csk_bind_conflict.</summary>
public class ReusePortSpec
{
    private static readonly IpAddress Ours = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress Theirs = IpAddress.Parse("192.0.2.2");
    private static readonly TcpSocketOptions Spread = new() { ReusePort = true };

    private readonly PoisoningBufferPool _pool = new();
    private Instant _now = Instant.FromMilliseconds(1_000_000);
    private SimHost _host = null!;

    private void Start(TcpOptions? options = null) => _host = new SimHost(Ours, _pool, 1, options) { EgressLimit = 100_000 };

    private void Arrive(ushort from, TcpFlags flags, uint sequence, uint acknowledgment)
    {
        var header = new TcpHeader
        {
            SourcePort = from, DestinationPort = 80, Flags = flags, Sequence = sequence, Acknowledgment = acknowledgment, Window = 65535,
        };
        var buffer = _pool.Rent(header.Length);
        header.Emit(buffer.Append(header.Length));
        SimChecksum.Fill(buffer.Span, Theirs, Ours);
        _host.Tcp.Receive(buffer, new IpReceiveInfo(Theirs, Ours, 64, 0, false), _now);
    }

    private List<TcpHeader> Sent()
    {
        _host.Poll(_now);
        var sent = new List<TcpHeader>();
        while (_host.TryDequeue(out var packet, out _))
        {
            TcpHeader.TryParse(packet.Span, out var header, out _);
            sent.Add(header);
            packet.Release();
        }

        return sent;
    }

    private uint Syn(ushort port)
    {
        Arrive(port, TcpFlags.Syn, 100, 0);
        return Sent().Single(header => header.DestinationPort == port && header.Has(TcpFlags.Syn)).Sequence;
    }

    private void Handshake(ushort port) => Arrive(port, TcpFlags.Ack, 101, Syn(port) + 1);

    private TcpListener Join(uint owner = 1000, int backlog = 4096, string address = "0.0.0.0")
    {
        Assert.Equal(StackError.None, TryBind(address, new PortSharing { ReusePort = true, Owner = owner }, out var binding));
        Assert.Equal(StackError.None, binding!.Listen(backlog, Spread, out var listener));
        return listener!;
    }

    private StackError TryBind(string address, PortSharing sharing, out TcpBinding? binding) =>
        _host.Tcp.Bind(new IpEndpoint(IpAddress.Parse(address), 80), sharing, out binding);

    private static List<ushort> TakeAll(TcpListener listener)
    {
        var ports = new List<ushort>();
        while (listener.Accept() is { } socket)
            ports.Add(socket.Remote.Port);
        return ports;
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    [InlineData(7)]
    public void Connections_are_spread_evenly_and_a_flow_always_finds_the_same_listener(int members)
    {
        const int Flows = 2000;
        Start();
        var group = Enumerable.Range(0, members).Select(_ => Join()).ToList();
        for (ushort port = 10_000; port < 10_000 + Flows; port++)
            Handshake(port);
        var first = group.Select(TakeAll).ToList();
        Assert.Equal(Flows, first.Sum(static ports => ports.Count));

        // Five standard deviations of the binomial distribution.
        var mean = (double)Flows / members;
        var tolerance = 5 * Math.Sqrt(mean * (1 - (1.0 / members)));
        Assert.All(first, ports => Assert.InRange(ports.Count, mean - tolerance, mean + tolerance));

        // The same flows again, after a reset of each.
        foreach (var port in first.SelectMany(static ports => ports))
            Arrive(port, TcpFlags.Rst, 101, 0);
        foreach (var port in first.SelectMany(static ports => ports).Order())
            Handshake(port);
        Assert.Equal(first.Select(static ports => ports.Order()), group.Select(listener => TakeAll(listener).Order()));
    }

    [Fact]
    public void Who_closes_resets_what_waits_with_it_and_the_others_stay()
    {
        Start();
        var group = new[] { Join(), Join(), Join() };
        for (ushort port = 10_000; port < 10_060; port++)
            Handshake(port);
        for (ushort port = 10_060; port < 10_120; port++)
            Syn(port);
        var waiting = group[1].Waiting;
        var embryos = group[1].EmbryonicCount;
        Assert.InRange(waiting, 1, 59);
        Assert.InRange(embryos, 1, 59);
        Sent();
        group[1].Close(_now);
        Assert.Equal(waiting + embryos, Sent().Count(static header => header.Has(TcpFlags.Rst)));
        Assert.Equal(60 - waiting, group[0].Waiting + group[2].Waiting);
        Assert.Equal(60 - embryos, _host.Tcp.EmbryonicCount);

        for (ushort port = 11_000; port < 11_060; port++)
            Handshake(port);
        Assert.Equal(120 - waiting, group[0].Waiting + group[2].Waiting);
        var joined = Join();
        for (ushort port = 12_000; port < 12_060; port++)
            Handshake(port);
        Assert.InRange(joined.Waiting, 1, 59);
        Assert.Equal(180 - waiting, group[0].Waiting + group[2].Waiting + joined.Waiting);
    }

    [Fact]
    public void A_cookie_is_taken_back_by_whichever_member_has_the_flow_by_then()
    {
        Start(new TcpOptions { MaxEmbryonicPerListener = 1, MaxEmbryonic = 2 });
        var group = new List<TcpListener> { Join(backlog: 1000) };
        Syn(9000);
        Syn(9001);
        Syn(9002);
        var cookies = new Dictionary<ushort, uint>();
        for (ushort port = 10_000; port < 10_100; port++)
            cookies.Add(port, Syn(port));
        Assert.True(_host.Counters.TcpExtSyncookiesSent >= 100);
        group.Add(Join(backlog: 1000));
        foreach (var (port, cookie) in cookies)
            Arrive(port, TcpFlags.Ack, 101, cookie + 1);
        Assert.Equal(100, group.Sum(static listener => listener.Waiting));
        Assert.All(group, static listener => Assert.True(listener.Waiting > 10));
    }

    [Fact]
    public void Another_users_socket_cannot_join()
    {
        Start();
        Join(owner: 1000);
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", new PortSharing { ReusePort = true, Owner = 1001 }, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("192.0.2.1", new PortSharing { ReusePort = true, ReuseAddress = true }, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", new PortSharing { ReuseAddress = true, Owner = 1000 }, out _));
        Join(owner: 1000);
    }

    [Fact]
    public void Sockets_with_reuse_may_bind_one_address_until_one_of_them_listens()
    {
        Start();
        var reuse = new PortSharing { ReuseAddress = true };
        var options = new TcpSocketOptions { ReuseAddress = true };
        Assert.Equal(StackError.None, TryBind("192.0.2.1", reuse, out var first));
        Assert.Equal(StackError.None, TryBind("192.0.2.1", reuse, out var second));
        Assert.Equal(StackError.AddressInUse, TryBind("192.0.2.1", default, out _));
        Assert.Equal(StackError.None, first!.Listen(8, options, out var listener));
        Assert.Equal(StackError.AddressInUse, second!.Listen(8, options, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("0.0.0.0", reuse, out _));
        listener!.Close(_now);
        Assert.Equal(StackError.None, second.Listen(8, options, out _));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_IPv6_only_wildcard_leaves_IPv4_to_others(bool v6First)
    {
        Start();
        var only = new PortSharing { IsV6Only = true };
        foreach (var isV6 in new[] { v6First, !v6First })
            Assert.Equal(StackError.None, TryBind(isV6 ? "::" : "0.0.0.0", isV6 ? only : default, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("::", default, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("::", only, out _));
        Assert.Equal(StackError.AddressInUse, TryBind("192.0.2.1", default, out _));
        Assert.Equal(StackError.AddressNotAvailable, TryBind("::1", only, out _));
    }

    [Fact]
    public void An_IPv6_only_listener_hears_no_IPv4()
    {
        Start();
        Assert.Equal(StackError.None, TryBind("::", new PortSharing { IsV6Only = true }, out var binding));
        Assert.Equal(StackError.None, binding!.Listen(8, default, out _));
        Arrive(5000, TcpFlags.Syn, 100, 0);
        Assert.True(Assert.Single(Sent()).Has(TcpFlags.Rst));
    }

    [Fact]
    public void Fast_open_works_with_each_member()
    {
        Start();
        var options = Spread with { FastOpenQueue = 8 };
        var group = new List<TcpListener>();
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(StackError.None, TryBind("0.0.0.0", new PortSharing { ReusePort = true }, out var binding));
            Assert.Equal(StackError.None, binding!.Listen(100, options, out var listener));
            group.Add(listener!);
        }

        SynWithCookie(5000, default);
        var cookie = Sent().Single(static header => header.DestinationPort == 5000).FastOpenCookie;
        for (ushort port = 6000; port < 6012; port++)
            SynWithCookie(port, cookie);
        Assert.Equal(12, group.Sum(static listener => listener.Waiting));
        Assert.All(group, static listener => Assert.True(listener.Waiting > 0));
    }

    private void SynWithCookie(ushort port, FastOpenCookie cookie)
    {
        var header = new TcpHeader
        {
            SourcePort = port, DestinationPort = 80, Flags = TcpFlags.Syn, Sequence = 100, Window = 65535, HasFastOpen = true, FastOpenCookie = cookie,
        };
        var buffer = _pool.Rent(header.Length);
        header.Emit(buffer.Append(header.Length));
        SimChecksum.Fill(buffer.Span, Theirs, Ours);
        _host.Tcp.Receive(buffer, new IpReceiveInfo(Theirs, Ours, 64, 0, false), _now);
    }
}
