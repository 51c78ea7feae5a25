using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class ListenerActorSpecs : DriverSetup
{
    [Fact]
    public void P14_every_connection_comes_with_its_peers_address_and_a_descriptor_of_its_own()
    {
        using var listener = OpenListening(80);
        var first = Peer.Connect(80);
        var second = Peer.Connect(80);
        Run();
        using var one = listener.Accept(out var ofFirst);
        using var two = listener.Accept(out var ofSecond);
        Assert.Equal(first.Local, ofFirst.Peer.Endpoint);
        Assert.Equal(second.Local, ofSecond.Peer.Endpoint);
        Assert.Equal(new IpEndpoint(Address, 80), ofFirst.Local.Endpoint);
        Assert.Equal(first.Local, Ask(new GetPeerNameRequest(1, one!.Handle)).Address.Endpoint);
        Assert.Equal(new IpEndpoint(Address, 80), Ask(new GetSockNameRequest(1, one.Handle)).Address.Endpoint);

        Peer.Send(second, "to the second"u8);
        Peer.Send(first, "to the first"u8);
        Run();
        Assert.Equal("to the first"u8.ToArray(), one.Read());
        Assert.Equal("to the second"u8.ToArray(), two!.Read());
        two.Write("from the second"u8);
        RunUntil(() => Peer.ReceivedCount(second) > 0);
        Assert.Equal("from the second"u8.ToArray(), Peer.Received(second));
        Assert.Empty(Peer.Received(first));
    }

    [Fact]
    public void P14_a_listening_descriptor_is_readable_exactly_while_a_connection_waits()
    {
        using var listener = OpenListening(80);
        Run();
        Assert.False(listener.IsReadable);
        Peer.Connect(80);
        Run();
        Assert.True(listener.IsReadable);
        using var app = listener.Accept(out _);
        Run();
        Assert.False(listener.IsReadable);
        Assert.Null(listener.Accept(out _));
        Assert.False(listener.SawEndOfFile);
    }

    [Fact]
    public void P14_a_hundred_connections_wait_for_a_slow_application_and_none_loses_a_byte()
    {
        using var listener = OpenListening(80, backlog: 128);
        var sockets = new Dictionary<IpEndpoint, TcpSocket>();
        for (var i = 0; i < 100; i++)
        {
            var socket = Peer.Connect(80);
            sockets[socket.Local] = socket;
        }

        RunUntil(() => sockets.Values.All(socket => socket.State == TcpState.Established));
        foreach (var (local, socket) in sockets)
            Peer.Send(socket, BitConverter.GetBytes(local.Port));
        Advance(TimeSpan.FromSeconds(1));

        var accepted = new HashSet<IpEndpoint>();
        RunUntil(() =>
        {
            using var app = listener.Accept(out var record);
            if (app is null)
                return accepted.Count == 100;
            Run(); // its actor attaches, and gives it what has come meanwhile
            Assert.Equal(BitConverter.GetBytes(record.Peer.Endpoint.Port), app.Read());
            Assert.True(accepted.Add(record.Peer.Endpoint), "A connection was accepted twice.");
            return false;
        });
        Assert.Equal(sockets.Keys.ToHashSet(), accepted);
    }

    [Fact]
    public void P14_a_backlog_is_a_limit_and_who_does_not_fit_comes_in_when_there_is_room()
    {
        using var listener = OpenListening(80, backlog: 4);
        var sockets = Enumerable.Range(0, 40).Select(_ => Peer.Connect(80)).ToList();
        Run();

        // Four in the backlog, one that its actor holds, and the handful that the descriptor takes.
        var status = StackStatus();
        var established = status.Connections.Count(connection => connection.State == nameof(TcpState.Established));
        Assert.InRange(established, 5, 16);
        var accepted = new List<App>();
        RunUntil(() =>
        {
            while (listener.Accept(out _) is { } app)
                accepted.Add(app);
            return accepted.Count == sockets.Count;
        });
        Assert.All(sockets, socket => Assert.Equal(TcpState.Established, socket.State));
        accepted.ForEach(app => app.Dispose());
    }

    [Fact]
    public void A_connection_that_has_ended_before_it_is_accepted_still_has_its_bytes_and_its_end()
    {
        using var listener = OpenListening(80);
        var socket = Peer.Connect(80);
        Run();
        Peer.Send(socket, "all I have"u8);
        socket.Close(Peer.Now);
        Run();
        using var app = listener.Accept(out _);
        Run();
        Assert.Equal("all I have"u8.ToArray(), app!.Read());
        Assert.True(app.SawEndOfFile);
    }

    [Fact]
    public void When_the_application_closes_its_listener_who_waits_is_let_go_and_who_comes_is_refused()
    {
        var listener = OpenListening(80);
        var waiting = Enumerable.Range(0, 12).Select(_ => Peer.Connect(80)).ToList();
        Run();
        Assert.All(waiting, socket => Assert.Equal(TcpState.Established, socket.State));
        listener.Dispose();
        Run();
        var late = Peer.Connect(80);
        RunUntil(() => Peer.Ended.Contains(late));
        Assert.Equal(StackError.ConnectionRefused, late.Error);
        RunUntil(() => waiting.TrueForAll(socket => Peer.Ended.Contains(socket) || socket.State == TcpState.CloseWait));
        waiting.ForEach(socket => socket.Abort(Peer.Now));
        RunUntil(() => StackStatus().Connections.Count == 0);

        // The port is free again.
        using var again = OpenListening(80);
        Peer.Connect(80);
        Run();
        Assert.True(again.IsReadable);
    }

    [Fact]
    public void Two_listeners_on_one_port_are_refused()
    {
        using var first = OpenListening(80);
        using var second = Open();
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(1, second.Handle, Sockaddr.From(new IpEndpoint(Address, 80)))).Error);
        using var third = Open();
        Ask(new SetOptionRequest(1, third.Handle, 1, 2, BitConverter.GetBytes(1))); // SO_REUSEADDR does not share a listening port
        Assert.Equal((int)StackError.AddressInUse, Ask(new BindRequest(1, third.Handle, Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, 80)))).Error);
    }

    [Fact]
    public void A_socket_that_listens_without_a_name_gets_a_port()
    {
        using var listener = Open();
        var answer = Ask(new ListenRequest(1, listener.Handle, 5));
        Assert.Equal(0, answer.Error);
        Assert.NotEqual(0, answer.Address.Endpoint.Port);
        Peer.Connect(answer.Address.Endpoint.Port);
        Run();
        using var app = listener.Accept(out var record);
        Assert.Equal(new IpEndpoint(Address, answer.Address.Endpoint.Port), record.Local.Endpoint);
    }

    [Fact]
    public void A_listening_socket_says_what_it_is_and_refuses_what_it_cannot_do()
    {
        using var listener = OpenListening(80);
        Assert.Equal(1, OptionOf(listener, 1, 30)); // SO_ACCEPTCONN
        Assert.Equal(1, OptionOf(listener, 1, 3)); // SO_TYPE
        Assert.Equal(new IpEndpoint(Address, 80), Ask(new GetSockNameRequest(1, listener.Handle)).Address.Endpoint);
        Assert.Equal((int)StackError.NotConnected, Ask(new GetPeerNameRequest(1, listener.Handle)).Error);
        Assert.Equal(new IpEndpoint(Address, 80), Ask(new ListenRequest(1, listener.Handle, 99)).Address.Endpoint);
        var elsewhere = Sockaddr.From(new IpEndpoint(Support.Peer.Address, 80));
        Assert.Equal((int)StackError.InvalidArgument, Ask(new ConnectRequest(1, listener.Handle, elsewhere, 0, false)).Error);
    }

    [Fact]
    public void Closing_a_listener_by_request_frees_its_port_before_the_answer()
    {
        using var listener = OpenListening(80);
        Assert.Equal(0, Ask(new CloseRequest(1, listener.Handle)).Error);
        Assert.Null(listener.Accept(out _));
        Assert.True(listener.SawEndOfFile);
        using var again = OpenListening(80);
    }

    [Fact]
    public void What_is_set_before_listen_is_inherited_by_accepted_connections()
    {
        using var listener = Open();
        Assert.Equal(0, Ask(new SetOptionRequest(1, listener.Handle, 6, 1, BitConverter.GetBytes(1))).Error); // TCP_NODELAY
        Assert.Equal(0, Ask(new BindRequest(1, listener.Handle, Sockaddr.From(new IpEndpoint(Address, 80)))).Error);
        Assert.Equal(0, Ask(new ListenRequest(1, listener.Handle, 5)).Error);
        Peer.Connect(80);
        Run();
        using var app = listener.Accept(out _);
        Assert.Equal(1, OptionOf(app!, 6, 1));
    }

    [Fact]
    public void A_connection_accepted_for_an_actor_that_has_stopped_is_aborted_and_forgotten()
    {
        var owner = CreateTestProbe();
        owner.Send(StackActor, new Listen(new IpEndpoint(Address, 90), 5, null, default));
        owner.Send(StackActor, new Accept(owner.ExpectMsg<Listening>().Id, 5));
        Watch(owner.Ref);
        Sys.Stop(owner.Ref);
        ExpectTerminated(owner.Ref);

        var socket = Peer.Connect(90);
        RunUntil(() => Peer.Ended.Contains(socket));
        Assert.Equal(StackError.ConnectionReset, socket.Error);
        Assert.Equal("Listen", Assert.Single(StackStatus().Connections).State);
    }
}
