using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Proxy;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Proxy;

/// <summary>A SOCKS client asks for an association, and the stack does not answer in time: the spec plays the stack.</summary>
public sealed class AssociationPatienceSpec : ActorSpec
{
    private readonly ManualReactor _reactor = new();
    private readonly DiagnosingBufferPool _pool = new();
    private readonly Socket _client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    internal override void Run() => _reactor.Look();

    [Fact]
    public void The_client_is_told_and_has_time_to_read_it_while_the_relay_goes_at_once()
    {
        var settings = HostConfiguration.Combine(null, HostConfiguration.Defaults).Settings;
        var stack = CreateTestProbe("stack");
        var parent = CreateTestProbe("port");
        using var listener = HostListener.Listen(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 0));
        _client.Connect(new IPEndPoint(IPAddress.Loopback, listener.Local.Port));
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var stream, out _));
        var context = new ProxyContext(new SocketContext(stack, _reactor, _pool) { Dispatcher = VirtualTime.Dispatcher }, ActorRefs.Nobody, settings, new RefusalLog(Sys.Scheduler));
        var session = parent.ChildActorOf(ProxySessionActor.Props(context, stream!, "a client", new ProxyHandshake(null), isBusy: false).WithDispatcher(VirtualTime.Dispatcher));
        var watcher = CreateTestProbe("watcher");
        watcher.Watch(session);
        _client.Send([5, 1, 0, 5, 3, 0, 1, 0, 0, 0, 0, 0, 0]);
        Run();
        stack.ExpectMsg<OpenDatagram>();
        var relay = stack.LastSender;

        EventFilter.Exception<DeathPactException>().Expect(0, () =>
        {
            Advance(settings.Proxy.ConnectTimeout + TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
            relay.Tell(new DatagramOpenFailed(StackError.NoBufferSpace), stack);
        });
        watcher.Watch(relay);
        watcher.ExpectTerminated(relay);
        Assert.False(watcher.HasMessages, "The client has had no time to read why.");
        var reply = new byte[64];
        var length = _client.Receive(reply);
        Assert.Equal([5, 0, 5, 6], reply[..Math.Min(length, 4)]);
        _client.Close();
        Run();
        watcher.ExpectTerminated(session);
    }

    protected override void AfterShutdown()
    {
        _client.Dispose();
        Assert.Equal(0, _reactor.Count);
        _pool.AssertAllReturned();
    }
}
