using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The way of a byte, from the wire to the application and back, in the steps of the original driver.</summary>
public sealed class PacketWalkSpec : DriverSetup
{
    [Fact]
    public void A_byte_goes_from_the_wire_to_the_application_and_from_the_application_to_the_wire()
    {
        // The peer listens; an application on the driver connects to it and is answered after the handshake.
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Assert.Equal(new IpEndpoint(Address, socket.Remote.Port), socket.Remote);

        // Wire → TapActor → Frame → StackActor: nothing happens until the frame is on the wire.
        Peer.Send(socket, "from the peer"u8);
        Assert.Empty(app.Read());

        // Poll: the engine digests the frame, ReadReady goes to the ConnectionActor, which writes the application's descriptor.
        Run();
        Assert.Equal("from the peer"u8.ToArray(), app.Read());

        // The application writes; its ConnectionActor reads the descriptor: WriteRequest → engine → Frame → TapActor → wire.
        app.Write("from the application"u8);
        RunUntil(() => Peer.ReceivedCount(socket) > 0);
        Assert.Equal("from the application"u8.ToArray(), Peer.Received(socket));

        // Both sides close in order, and the engine on either side knows.
        app.ShutdownSend();
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        socket.Close(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(socket));
        Run();
        Assert.Empty(app.Read());
        Assert.True(app.SawEndOfFile);

        StopDriver();
        Pool.AssertAllReturned();
        Assert.Equal(0, Reactor.Count);
        Assert.Equal(TcpState.Closed, socket.State);
    }
}
