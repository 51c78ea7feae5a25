using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>A stack that is told how much memory its machine has left.</summary>
public sealed class MemoryLevelSpec
{
    [Fact]
    public void With_memory_exhausted_nobody_connects_and_with_memory_again_the_peer_that_has_gone_on_trying_does()
    {
        using var pair = new StackPair();
        pair.B.MemoryLevel = MemoryLevel.Exhausted;
        Assert.Equal(StackError.None, pair.B.Tcp.Listen(new IpEndpoint(default, 80), 16, default, out var listener));
        Assert.Equal(StackError.NoBufferSpace, pair.B.Tcp.Connect(new IpEndpoint(StackPair.AddressA, 80), default(IpEndpoint), default, pair.Now, out _));
        Assert.Equal(StackError.None, pair.A.Tcp.Connect(new IpEndpoint(StackPair.AddressB, 80), default(IpEndpoint), default, pair.Now, out var socket));
        pair.Run(TimeSpan.FromMilliseconds(500));
        Assert.Equal(TcpState.SynSent, socket!.State);
        Assert.Equal(2, pair.B.Counters.Tcp.TcpMemoryRefused);
        pair.B.MemoryLevel = MemoryLevel.Scarce;
        pair.Run(TimeSpan.FromSeconds(2));
        Assert.Equal(TcpState.Established, socket.State);
        listener!.Accept()!.Abort(pair.Now);
        listener.Close(pair.Now);
        pair.Run(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void With_memory_exhausted_a_datagram_is_dropped_and_counted()
    {
        using var h = new StackHarness();
        Assert.Equal(StackError.None, h.Stack.Udp.Bind(new IpEndpoint(default, 53), new UdpSocketOptions(), out var socket));
        h.Stack.MemoryLevel = MemoryLevel.Exhausted;
        h.Receive(Build.Udp(1000, 53, [1]));
        Assert.False(socket!.TryReceive(out _, out _));
        Assert.Equal(1, h.Counters.UdpMemErrors);
        h.Stack.MemoryLevel = MemoryLevel.Scarce;
        h.Receive(Build.Udp(1000, 53, [2]));
        Assert.True(socket.TryReceive(out var payload, out _));
        payload.Release();
        socket.Close();
    }
}
