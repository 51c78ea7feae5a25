using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>An actor that has served one connection of an application serves the next one, which has nothing of it.</summary>
public sealed class ConnectionReuseSpecs : DriverSetup
{
    private const int NoDelay = 1;

    private int Actors => ((LocalActorRef)LinkActor).Cell.GetChildren().Count();

    [Fact]
    public void One_actor_is_enough_for_connections_one_after_the_other()
    {
        using var listener = OpenListening(80);
        Serve(listener, 1);
        var before = Actors;
        for (var i = 2; i < 100; i++)
            Serve(listener, i);
        Assert.Equal(before, Actors);
    }

    [Fact]
    public void The_next_connection_has_no_option_error_or_name_of_the_last_one()
    {
        using var listener = OpenListening(80);
        var first = Peer.Connect(80);
        Run();
        using (var app = listener.Accept(out _)!)
        {
            Assert.Equal(0, Ask(new SetOptionRequest(1, app.Handle, LinkOption.IpProtoTcp, NoDelay, BitConverter.GetBytes(1))).Error);
            Peer.Send(first, "not read"u8);
            Run();
        }

        RunUntil(() => Peer.Ended.Contains(first));
        Assert.Equal(StackError.ConnectionReset, first.Error);

        var second = Peer.Connect(80);
        Run();
        using var next = listener.Accept(out _)!;
        Assert.Equal(0, OptionOf(next, LinkOption.IpProtoTcp, NoDelay));
        Assert.Equal(0, OptionOf(next, LinkOption.SolSocket, LinkOption.SoError));
        Assert.Equal(second.Local, Ask(new GetPeerNameRequest(1, next.Handle)).Address.Endpoint);
        Assert.Empty(next.Read());
        next.Write("answer"u8);
        RunUntil(() => Peer.ReceivedCount(second) > 0);
        Assert.Equal("answer"u8.ToArray(), Peer.Received(second));
    }

    [Fact]
    public void A_request_about_the_last_connection_is_not_one_about_the_next()
    {
        using var listener = OpenListening(80);
        var first = Peer.Connect(80);
        Run();
        var app = listener.Accept(out _)!;
        var handle = app.Handle;
        app.Dispose();
        first.Close(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(first));
        Peer.Connect(80);
        Run();
        using var next = listener.Accept(out _)!;
        Assert.Equal(LinkErrno.BadHandle, Ask(new GetPeerNameRequest(1, handle)).Error);
        Assert.Equal(0, Ask(new GetPeerNameRequest(1, next.Handle)).Error);
    }

    [Fact]
    public void Many_at_once_leave_no_more_than_64_actors_that_wait()
    {
        using var listener = OpenListening(80, backlog: 256);
        Run();
        var before = Actors;
        var peers = Enumerable.Range(0, 200).Select(_ => Peer.Connect(80)).ToList();
        var apps = new List<App>();
        RunUntil(() =>
        {
            while (listener.Accept(out _) is { } app)
                apps.Add(app);
            return apps.Count == peers.Count;
        });
        apps.ForEach(static app => app.Dispose());
        peers.ForEach(peer => peer.Close(Peer.Now));
        RunUntil(() => peers.TrueForAll(Peer.Ended.Contains));
        Assert.InRange(Actors - before, 1, 64);
    }

    private void Serve(App listener, int number)
    {
        var peer = Peer.Connect(80);
        Run();
        using (var app = listener.Accept(out _)!)
        {
            var question = BitConverter.GetBytes(number);
            Peer.Send(peer, question);
            Run();
            Assert.Equal(question, app.Read());
            app.Write(question);
            RunUntil(() => Peer.ReceivedCount(peer) > 0);
            Assert.Equal(question, Peer.Received(peer));
        }

        peer.Close(Peer.Now);
        RunUntil(() => peer.State is TcpState.Closed or TcpState.TimeWait);
        Run();
    }
}
