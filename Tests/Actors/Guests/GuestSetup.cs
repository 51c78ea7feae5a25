using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors.Guests;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Guests;

/// <summary>A guest of a driver: a bare engine at the other end of a wire of its own, whose traffic goes by the driver's address to the driver's peer.</summary>
public abstract class GuestSetup : DriverSetup
{
    internal MemoryWire GuestWire { get; } = new("guest") { Medium = Medium.Ip };

    private readonly DiagnosingBufferPool _guestPool = new();
    private readonly NetworkStack? _guest;

    internal NetworkStack Guest => _guest!;

    protected static IpAddress AddressV6 { get; } = IpAddress.Parse("fd00:99::2");

    protected static IpAddress PeerV6 { get; } = IpAddress.Parse("fd00:99::1");

    /// <summary>The guest's.</summary>
    protected GuestAddresses Addresses { get; }

    protected TestProbe Lifeline { get; }

    private readonly Dictionary<TcpSocket, List<byte>> _received = [];
    internal HashSet<StackSocket> Ended { get; } = [];

    internal HashSet<TcpSocket> EndOfStream { get; } = [];

    /// <param name="driverHasV6">Driver and peer have an IPv6 address, too.</param>
    /// <param name="guestHasV6">And the guest.</param>
    protected GuestSetup(string settings, bool driverHasV6 = false, bool guestHasV6 = false)
        : base(settings)
    {
        if (driverHasV6)
        {
            Assert.Equal(StackError.None, Peer.Stack.AddAddress(new IpPrefix(PeerV6, 64), Peer.Now));
            Assert.Equal(0, Ask(new AddAddressRequest(1, AddressV6, 64)).Error);
            Advance(TimeSpan.FromSeconds(3));
        }

        Addresses = guestHasV6 ? new GuestAddresses(Address, AddressV6) : new GuestAddresses(Address);
        _guest = new NetworkStack(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, _guestPool, Peer.Secret(3));
        Assert.Equal(StackError.None, _guest.AddAddress(new IpPrefix(Address, 24), Peer.Now));
        Assert.Equal(StackError.None, _guest.AddRoute(new IpPrefix(IpAddress.AnyV4, 0), IpAddress.AnyV4));
        if (guestHasV6)
        {
            Assert.Equal(StackError.None, _guest.AddAddress(new IpPrefix(AddressV6, 64), Peer.Now));
            Assert.Equal(StackError.None, _guest.AddRoute(new IpPrefix(IpAddress.Unspecified, 0), IpAddress.Unspecified));
        }

        Lifeline = CreateTestProbe("lifeline");
        Assert.Equal(0, Add(GuestWire, Lifeline.Ref).Error);
    }

    internal override void Run()
    {
        do
            base.Run();
        while (_guest is not null && Exchange());
        base.Run();
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
        Assert.True(GuestWire.Disposed);
    }

    internal GuestAnswer Add(MemoryWire wire, IActorRef lifeline) => Add(wire, Addresses, lifeline);

    internal GuestAnswer Add(MemoryWire wire, GuestAddresses addresses, IActorRef lifeline)
    {
        Session.Send(Driver, new AddGuest(wire, addresses, lifeline, Environment.ProcessId));
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<GuestAnswer>();
    }

    internal GuestAnswer Publish(string port)
    {
        Assert.True(PublishSpec.TryParse(port, out var spec, out _));
        Session.Send(Driver, new PublishPort(spec, Lifeline.Ref));
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<GuestAnswer>();
    }

    /// <summary>A connection that the guest has accepted.</summary>
    internal TcpSocket AcceptAtGuest(TcpListener listener)
    {
        RunUntil(() => listener.Waiting > 0);
        var socket = listener.Accept()!;
        _received[socket] = [];
        return socket;
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

    internal TcpSocket Accept(TcpListener listener)
    {
        RunUntil(() => listener.Waiting > 0);
        return listener.Accept()!;
    }

    internal void Write(TcpSocket socket, params byte[] bytes) => Assert.Equal(StackError.None, socket.Write(Bytes(bytes), Peer.Now));

    internal byte[] Received(TcpSocket socket) => [.. _received[socket]];

    /// <summary>Moves frames between guest and driver. True if any moved.</summary>
    private bool Exchange()
    {
        var any = false;
        while (GuestWire.Sent.TryDequeue(out var bytes))
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
                Ended.Add(socket);
        }

        _guest.Poll(Peer.Now);
        while (_guest.TryDequeueFrame(out var frame))
        {
            any = true;
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            frame.Release();
            if (!GuestWire.Disposed)
                GuestWire.Deliver(bytes);
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
            EndOfStream.Add(socket);
    }
}
