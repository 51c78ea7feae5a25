using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors.Guests;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Guests;

/// <summary>A guest of a driver: a bare engine at the other end of a wire of its own, whose traffic goes by the driver's address to the driver's peer.</summary>
public class GuestSpecs : DriverSetup
{
    private static readonly IpAddress Elsewhere = IpAddress.Parse("10.98.0.1");

    private readonly MemoryWire _wire = new("guest") { Medium = Medium.Ip };
    private readonly DiagnosingBufferPool _guestPool = new();
    private readonly NetworkStack? _guest;
    private readonly TestProbe _lifeline;
    private readonly Dictionary<TcpSocket, List<byte>> _received = [];
    private readonly HashSet<StackSocket> _ended = [];
    private readonly HashSet<TcpSocket> _endOfStream = [];

    public GuestSpecs()
        : this("")
    {
    }

    protected GuestSpecs(string settings)
        : base(settings)
    {
        _guest = new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, _guestPool, Peer.Secret(3));
        Assert.Equal(StackError.None, _guest.AddAddress(new IpPrefix(Address, 24), Peer.Now));
        Assert.Equal(StackError.None, _guest.AddRoute(new IpPrefix(IpAddress.AnyV4, 0), IpAddress.AnyV4));
        _lifeline = CreateTestProbe("lifeline");
        Assert.Equal(0, Add(_wire, _lifeline.Ref).Error);
    }

    internal override void Run()
    {
        do
            base.Run();
        while (_guest is not null && Exchange());
        base.Run();
    }

    [Fact]
    public void Its_connection_is_one_of_the_drivers_and_bytes_pass_both_ways_to_their_ends()
    {
        var listener = Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Assert.Equal(Address, server.Remote.Address);
        Assert.Equal(TcpState.Established, client.State);
        Write(client, 1, 2, 3);
        Peer.Send(server, [4, 5]);
        RunUntil(() => Peer.ReceivedCount(server) == 3 && Received(client).Length == 2);
        Assert.Equal(([1, 2, 3], [4, 5]), (Peer.Received(server), Received(client)));

        client.ShutdownSend(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(server));
        Assert.DoesNotContain(client, _endOfStream);
        Peer.Send(server, [6]);
        server.Close(Peer.Now);
        RunUntil(() => _endOfStream.Contains(client) && Received(client).Length == 3);
        RunUntil(() => Peer.Ended.Contains(server) && _ended.Contains(client));
        Assert.Equal((StackError.None, StackError.None), (client.Error, server.Error));
    }

    [Fact]
    public void Nothing_is_lost_and_little_is_held_when_the_destination_reads_slowly()
    {
        const int Length = 8 << 20;
        var listener = Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Peer.NotReading.Add(server);
        var sent = 0;
        void Fill()
        {
            for (; sent < Length && client.SendRoom >= 4096; sent += 4096)
                Write(client, [.. Enumerable.Range(sent, 4096).Select(static i => (byte)(i * 7 >> 3))]);
        }

        for (var i = 0; i < 50; i++)
        {
            Fill();
            Advance(TimeSpan.FromMilliseconds(10));
        }

        Assert.True(sent < Length, "All bytes have gone somewhere, though nobody reads them.");
        Peer.NotReading.Remove(server);
        Peer.ReadAll(server);
        RunUntil(() =>
        {
            Fill();
            return Peer.ReceivedCount(server) == Length;
        });
        Assert.True(Peer.Received(server).Select(static (value, i) => value == (byte)(i * 7 >> 3)).All(static same => same));
    }

    [Fact]
    public void What_the_destination_says_of_the_SYN_the_guest_sees()
    {
        var refused = Connect(new IpEndpoint(Support.Peer.Address, 81));
        RunUntil(() => _ended.Contains(refused));
        Assert.Equal(StackError.ConnectionRefused, refused.Error);

        var unreachable = Connect(new IpEndpoint(Elsewhere, 80));
        RunUntil(() => _guest!.Counters.IcmpInDestUnreachs == 1, TimeSpan.FromSeconds(1));
        Assert.Equal(TcpState.SynSent, unreachable.State);

        // Nobody answers ARP for it.
        var silent = Connect(new IpEndpoint(IpAddress.Parse("10.99.0.77"), 80));
        Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal((TcpState.SynSent, 1), (silent.State, _guest!.Counters.IcmpInDestUnreachs));
    }

    [Fact]
    public void A_reset_passes_in_either_direction()
    {
        var listener = Peer.Listen(80);
        var first = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        server.Abort(Peer.Now);
        RunUntil(() => _ended.Contains(first));
        Assert.Equal(StackError.ConnectionReset, first.Error);

        var second = Connect(new IpEndpoint(Support.Peer.Address, 80));
        server = Accept(listener);
        second.Abort(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(server));
        Assert.Equal(StackError.ConnectionReset, server.Error);
    }

    [Fact]
    public void Its_datagrams_and_their_answers_keep_their_ends()
    {
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var names));
        var client = Udp();
        for (byte i = 0; i < 3; i++)
        {
            Assert.Equal(StackError.None, client.Send(Bytes([i]), new IpEndpoint(Support.Peer.Address, 53), Peer.Now));
            PacketBuffer? data = null;
            IpEndpoint from = default;
            RunUntil(() => names!.TryReceive(out data, out from));
            Assert.Equal(Address, from.Address);
            Assert.Equal(StackError.None, names!.Send(data!, from, Peer.Now));
            RunUntil(() => client.TryReceive(out data, out from));
            Assert.Equal(([i], new IpEndpoint(Support.Peer.Address, 53)), (data!.Span.ToArray(), from));
            data.Release();
        }

        Assert.Equal(StackError.None, client.Connect(new IpEndpoint(Support.Peer.Address, 54)));
        Assert.Equal(StackError.None, client.Send(Bytes([1]), null, Peer.Now));
        var error = StackError.None;
        RunUntil(() => (error = client.TakeError()) != StackError.None);
        Assert.Equal(StackError.ConnectionRefused, error);
        client.Close();
        names!.Close();
    }

    [Fact]
    public void Its_echo_requests_are_answered_by_those_that_they_are_for()
    {
        Assert.Equal(StackError.None, _guest!.Icmp.Open(out var ping));
        Assert.Equal(StackError.None, ping!.Send(Support.Peer.Address, 1, new byte[32], Peer.Now));
        IcmpEchoResult answer = default;
        RunUntil(() => ping.TryReceive(out answer));
        Assert.Equal((StackError.None, Support.Peer.Address), (answer.Error, answer.From));
        Assert.Equal(1, Peer.Stack.Counters.IcmpInEchos);
        Assert.Equal(StackError.None, ping.Send(Elsewhere, 2, new byte[32], Peer.Now));
        RunUntil(() => ping.TryReceive(out answer));
        Assert.Equal(StackError.NetworkUnreachable, answer.Error);
    }

    [Fact]
    public void It_ends_with_its_lifeline_and_its_connections_with_it()
    {
        var listener = Peer.Listen(80);
        Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Sys.Stop(_lifeline.Ref);
        RunUntil(() => Peer.Ended.Contains(server) && _wire.Disposed);
        Assert.Equal(StackError.ConnectionReset, server.Error);
    }

    [Fact]
    public void It_ends_with_its_wire()
    {
        var listener = Peer.Listen(80);
        Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        _wire.Break();
        RunUntil(() => Peer.Ended.Contains(server) && _wire.Disposed);
        var other = new MemoryWire("other") { Medium = Medium.Ip };
        Assert.Equal(0, Add(other, ActorRefs.Nobody).Error);
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        _guest!.Close(Peer.Now);
        foreach (var socket in _received.Keys)
            PacketBuffer.ReleaseChain(socket.Read(out _, out _));
        while (_guest.TryDequeueFrame(out var frame))
            frame.Release();
        _guestPool.AssertAllReturned();
        Assert.True(_wire.Disposed);
    }

    internal GuestAnswer Add(MemoryWire wire, IActorRef lifeline)
    {
        Session.Send(Driver, new AddGuest(wire, Address, lifeline));
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<GuestAnswer>();
    }

    internal TcpSocket Connect(IpEndpoint to)
    {
        Assert.Equal(StackError.None, _guest!.Tcp.Connect(to, default(IpEndpoint), default, Peer.Now, out var socket));
        _received[socket!] = [];
        Run();
        return socket!;
    }

    internal UdpSocket Udp()
    {
        Assert.Equal(StackError.None, _guest!.Udp.Bind(default, new(), out var socket));
        return socket!;
    }

    internal PacketBuffer Bytes(byte[] bytes)
    {
        var buffer = _guestPool.Rent(bytes.Length, BufferPool.HeaderRoom);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }

    private TcpSocket Accept(TcpListener listener)
    {
        RunUntil(() => listener.Waiting > 0);
        return listener.Accept()!;
    }

    private void Write(TcpSocket socket, params byte[] bytes) => Assert.Equal(StackError.None, socket.Write(Bytes(bytes), Peer.Now));

    private byte[] Received(TcpSocket socket) => [.. _received[socket]];

    /// <summary>Moves frames between guest and driver. True if any moved.</summary>
    private bool Exchange()
    {
        var any = false;
        while (_wire.Sent.TryDequeue(out var bytes))
        {
            any = true;
            var frame = _guestPool.Rent(bytes.Length);
            bytes.CopyTo(frame.Append(bytes.Length));
            _guest!.Receive(frame, Peer.Now);
        }

        _guest!.Poll(Peer.Now);
        while (_guest.TryDequeueEvent(out var socket, out var events))
        {
            if (socket is TcpSocket tcp && (events & SocketEvents.Readable) != 0)
                Read(tcp);
            if ((events & SocketEvents.Closed) != 0)
                _ended.Add(socket);
        }

        _guest.Poll(Peer.Now);
        while (_guest.TryDequeueFrame(out var frame))
        {
            any = true;
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            frame.Release();
            if (!_wire.Disposed)
                _wire.Deliver(bytes);
        }

        return any;
    }

    private void Read(TcpSocket socket)
    {
        var chain = socket.Read(out var count, out var endOfStream);
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
            _received[socket].AddRange(buffer.Span);
        PacketBuffer.ReleaseChain(chain);
        if (count > 0)
            socket.Consumed(count, Peer.Now);
        if (endOfStream)
            _endOfStream.Add(socket);
    }
}

/// <summary>Everything about guests has a limit.</summary>
public sealed class GuestLimitSpecs() : GuestSpecs("guests { max-guests = 1, max-connections = 1, max-flows = 1, flow-idle = 5s }")
{
    [Fact]
    public void One_guest_too_many_is_refused_and_its_wire_closed()
    {
        var second = new MemoryWire("second") { Medium = Medium.Ip };
        var answer = Add(second, ActorRefs.Nobody);
        Assert.NotEqual(0, answer.Error);
        Assert.Contains("tapwire.guests.max-guests", answer.Reason, StringComparison.Ordinal);
        Assert.True(second.Disposed);
    }

    [Fact]
    public void One_connection_too_many_waits_until_there_is_room()
    {
        var listener = Peer.Listen(80);
        var first = Connect(new IpEndpoint(Support.Peer.Address, 80));
        RunUntil(() => listener.Waiting == 1);
        var second = Connect(new IpEndpoint(Support.Peer.Address, 80));
        Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal((TcpState.Established, TcpState.SynSent, 1), (first.State, second.State, listener.Waiting));
        first.Abort(Peer.Now);
        RunUntil(() => second.State == TcpState.Established, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void One_flow_too_many_is_dropped_until_another_has_been_idle()
    {
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(default, 53), new(), out var names));
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(default, 54), new(), out var others));
        var client = Udp();
        Assert.Equal(StackError.None, client.Send(Bytes([1]), new IpEndpoint(Support.Peer.Address, 53), Peer.Now));
        Assert.Equal(StackError.None, client.Send(Bytes([2]), new IpEndpoint(Support.Peer.Address, 54), Peer.Now));
        PacketBuffer? data = null;
        RunUntil(() => names!.TryReceive(out data, out _));
        data!.Release();
        Advance(TimeSpan.FromSeconds(1));
        Assert.False(others!.TryReceive(out _, out _));
        Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(StackError.None, client.Send(Bytes([3]), new IpEndpoint(Support.Peer.Address, 54), Peer.Now));
        RunUntil(() => others.TryReceive(out data, out _));
        Assert.Equal(3, data!.Span[0]);
        data.Release();
        client.Close();
        names!.Close();
        others.Close();
    }
}
