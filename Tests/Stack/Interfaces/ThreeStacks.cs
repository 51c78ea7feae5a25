using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Interfaces;

/// <summary>A host with two interfaces, 10.1.0.1 and 10.2.0.1, and on each of their networks a peer, 10.1.0.2 and 10.2.0.2, in virtual time and without loss.</summary>
internal sealed class ThreeStacks : IDisposable
{
    private readonly List<(NetworkInterface From, NetworkStack To)> _ways = [];
    private readonly Dictionary<StackSocket, SocketEvents> _news = [];

    /// <param name="left">Of the host's first interface.</param>
    /// <param name="right">Of its second.</param>
    /// <param name="isRouter">The host forwards between its interfaces.</param>
    public ThreeStacks(InterfaceOptions? left = null, InterfaceOptions? right = null, bool isRouter = false)
    {
        Host = Make(1, isRouter, left ?? Plain with { Name = "left" }, right ?? Plain with { Name = "right" });
        LeftPeer = Make(2, false, Plain);
        RightPeer = Make(3, false, Plain);
        Assert.Equal(StackError.None, Host.AddAddress(Left, IpPrefix.Parse("10.1.0.1/24"), Now));
        Assert.Equal(StackError.None, Host.AddAddress(Right, IpPrefix.Parse("10.2.0.1/24"), Now));
        Assert.Equal(StackError.None, LeftPeer.AddAddress(IpPrefix.Parse("10.1.0.2/24"), Now));
        Assert.Equal(StackError.None, RightPeer.AddAddress(IpPrefix.Parse("10.2.0.2/24"), Now));
        Join(Left, LeftPeer);
        Join(Right, RightPeer);
    }

    public static InterfaceOptions Plain { get; } = new() { Medium = Medium.Ip };

    public DiagnosingBufferPool Pool { get; } = new();

    public NetworkStack Host { get; }

    public NetworkStack LeftPeer { get; }

    public NetworkStack RightPeer { get; }

    public NetworkInterface Left => Host.Interfaces[0];

    public NetworkInterface Right => Host.Interfaces[1];

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1);

    /// <summary>Frames of these are not taken.</summary>
    public HashSet<NetworkInterface> Stuck { get; } = [];

    /// <summary>Frames that each interface has sent.</summary>
    public Dictionary<NetworkInterface, int> Sent { get; } = [];

    public static IpAddress Ip(string text) => IpAddress.Parse(text);

    public void Join(NetworkInterface one, NetworkStack other)
    {
        _ways.Add((one, other));
        _ways.Add((other.Interface, Host));
    }

    /// <summary>Does all that can be done within a time.</summary>
    public void Run(double seconds = 1)
    {
        var end = Now + TimeSpan.FromSeconds(seconds);
        while (true)
        {
            while (Settle())
            {
            }

            var next = Instant.Min(Host.PollAt, Instant.Min(LeftPeer.PollAt, RightPeer.PollAt));
            if (next > end)
                break;
            Now = Instant.Max(next, Now);
        }

        Now = end;
    }

    public SocketEvents News(StackSocket socket)
    {
        _news.Remove(socket, out var events);
        return events;
    }

    public TcpSocket Connect(NetworkStack from, string address, ushort port, string local = "0.0.0.0")
    {
        Assert.Equal(StackError.None, from.Tcp.Connect(new IpEndpoint(Ip(address), port), new IpEndpoint(Ip(local), 0), default, Now, out var socket));
        Run();
        return socket!;
    }

    public TcpListener Listen(NetworkStack on, ushort port, string local = "0.0.0.0")
    {
        Assert.Equal(StackError.None, on.Tcp.Listen(new IpEndpoint(Ip(local), port), 16, default, out var listener));
        return listener!;
    }

    /// <summary>Takes what a connection that waits to be accepted has received.</summary>
    public int Received(TcpListener listener)
    {
        var chain = listener.Accept()!.Read(out var bytes, out _);
        while (chain is not null)
        {
            var next = chain.Next;
            chain.Next = null;
            chain.Release();
            chain = next;
        }

        return bytes;
    }

    public PacketBuffer Payload(int length)
    {
        var buffer = Pool.Rent(length, BufferPool.HeaderRoom);
        buffer.Append(length).Clear();
        return buffer;
    }

    /// <summary>Gives a packet to an interface of the host, as if it had come off its wire.</summary>
    public void Arrive(NetworkInterface on, ReadOnlySpan<byte> packet)
    {
        var buffer = Pool.Rent(packet.Length);
        packet.CopyTo(buffer.Append(packet.Length));
        buffer.Interface = on.Index;
        Host.Receive(buffer, Now);
        Run(0.001);
    }

    public void Dispose()
    {
        foreach (var stack in new[] { Host, LeftPeer, RightPeer })
            stack.Close(Now);
        foreach (var (from, _) in _ways)
            Drop(from);
        foreach (var each in Host.Interfaces)
            Drop(each);
        Pool.AssertAllReturned();
    }

    private static void Drop(NetworkInterface from)
    {
        while (from.TryDequeueFrame(out var frame))
            frame.Release();
    }

    private bool Settle()
    {
        foreach (var stack in new[] { Host, LeftPeer, RightPeer })
        {
            stack.Poll(Now);
            while (stack.TryDequeueEvent(out var socket, out var events))
                _news[socket] = _news.GetValueOrDefault(socket) | events;
        }

        var any = false;
        foreach (var (from, to) in _ways)
        {
            while (!Stuck.Contains(from) && from.TryDequeueFrame(out var frame))
            {
                any = true;
                Sent[from] = Sent.GetValueOrDefault(from) + 1;
                frame.Interface = to == Host ? _ways.First(way => way.To.Interfaces.Contains(from)).From.Index : (byte)0;
                to.Receive(frame, Now);
            }
        }

        return any;
    }

    private NetworkStack Make(byte number, bool isRouter, params InterfaceOptions[] interfaces) =>
        new(new StackOptions { Interfaces = interfaces, IsRouter = isRouter }, Pool, Enumerable.Repeat(number, 32).ToArray());
}
