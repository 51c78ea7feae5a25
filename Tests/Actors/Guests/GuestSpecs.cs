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
using Tapwire.Wires.Capture;
using Xunit;

namespace Tapwire.Tests.Actors.Guests;

/// <summary>A guest's traffic is the driver's, and what becomes of it is told truly.</summary>
public sealed class GuestSpecs() : GuestSetup("tcp { receive-buffer = 128KiB, max-receive-buffer = 0, max-send-buffer = 0 }")
{
    private static readonly IpAddress Elsewhere = IpAddress.Parse("10.98.0.1");

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
        Assert.Equal([1, 2, 3], Peer.Received(server));
        Assert.Equal([4, 5], Received(client));

        client.ShutdownSend(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(server));
        Assert.DoesNotContain(client, EndOfStream);
        Peer.Send(server, [6]);
        server.Close(Peer.Now);
        RunUntil(() => EndOfStream.Contains(client) && Received(client).Length == 3);
        RunUntil(() => Peer.Ended.Contains(server) && Ended.Contains(client));
        Assert.Equal((StackError.None, StackError.None), (client.Error, server.Error));
    }

    protected override Tapwire.Actors.DriverContext Adapted(Tapwire.Actors.DriverContext context) => context with { CaptureDispatcher = VirtualTime.Dispatcher };

    [Fact]
    public void Its_packets_are_captured_by_its_name()
    {
        var file = new MemoryStream();
        Session.Send(Driver, new Tapwire.Messages.StartCapture(new CaptureOptions { Interface = $"guest-{Environment.ProcessId}" }, file, "the spec's stream"));
        RunUntil(() => Session.HasMessages);
        Assert.Equal(0, Session.ExpectMsg<Tapwire.Messages.CaptureAnswer>().Error);
        Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        RunUntil(() => client.State == TcpState.Established);
        Session.Send(Driver, Tapwire.Messages.GetStatus.Instance);
        RunUntil(() => Session.HasMessages);
        var told = Assert.Single(Session.ExpectMsg<Tapwire.Links.Protocol.DriverStatus>().Captures);
        Assert.Equal(("the spec's stream", $"guest-{Environment.ProcessId}", 0), (told.Name, told.Interface, told.Dropped));
        Assert.True(told.Packets >= 3);
        StopDriver();
        var captured = PcapngFile.Read(file.ToArray());
        Assert.Equal($"guest-{Environment.ProcessId}", Assert.Single(captured.Interfaces).Name);
        Assert.Contains(captured.Packets, static packet => packet.IsInbound && packet.Data is [0x45, ..] && packet.Data[9] == 6);
        Assert.Contains(captured.Packets, static packet => !packet.IsInbound && packet.Data[9] == 6);
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
        RunUntil(() => Ended.Contains(refused));
        Assert.Equal(StackError.ConnectionRefused, refused.Error);

        var unreachable = Connect(new IpEndpoint(Elsewhere, 80));
        RunUntil(() => Ended.Contains(unreachable), TimeSpan.FromSeconds(1));
        Assert.Equal(StackError.NetworkUnreachable, unreachable.Error);

        // Nobody answers ARP for it.
        var silent = Connect(new IpEndpoint(IpAddress.Parse("10.99.0.77"), 80));
        Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal(TcpState.SynSent, silent.State);
        RunUntil(() => Ended.Contains(silent), TimeSpan.FromSeconds(10));
        Assert.Equal(StackError.HostUnreachable, silent.Error);
    }

    [Fact]
    public void A_reset_passes_in_either_direction()
    {
        var listener = Peer.Listen(80);
        var first = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        server.Abort(Peer.Now);
        RunUntil(() => Ended.Contains(first));
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
            Assert.Equal(i, data!.Span[0]);
            Assert.Equal(new IpEndpoint(Support.Peer.Address, 53), from);
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
        Assert.Equal(StackError.None, Guest.Icmp.Open(out var ping));
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
    public void It_ends_with_itsLifeline_and_its_connections_with_it()
    {
        var listener = Peer.Listen(80);
        Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Sys.Stop(Lifeline.Ref);
        RunUntil(() => Peer.Ended.Contains(server) && GuestWire.Disposed, TimeSpan.FromSeconds(40));
        Assert.Equal(StackError.ConnectionReset, server.Error);
    }

    /// <summary>A kernel sends what a program has written, also when the program has ended.</summary>
    [Fact]
    public void What_is_under_way_when_its_lifeline_ends_arrives()
    {
        var listener = Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Write(client, 1, 2, 3);
        client.Close(Peer.Now);
        Sys.Stop(Lifeline.Ref);
        RunUntil(() => Peer.EndOfStream.Contains(server));
        Assert.Equal([1, 2, 3], Peer.Received(server));
        server.Close(Peer.Now);
        RunUntil(() => GuestWire.Disposed);
        Assert.Equal(StackError.None, server.Error);
    }

    [Fact]
    public void When_the_driver_stops_it_reads_the_end_and_what_it_writes_then_arrives()
    {
        var listener = Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        RunUntil(() => EndOfStream.Contains(client));
        Write(client, 1);
        client.Close(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(server));
        Assert.Equal([1], Peer.Received(server));
        server.Close(Peer.Now);
        RunUntil(() => GuestWire.Disposed);
        Assert.Equal((StackError.None, StackError.None), (client.Error, server.Error));
    }

    [Fact]
    public void When_the_driver_stops_a_connection_that_does_not_end_is_reset_in_time()
    {
        var listener = Peer.Listen(80);
        var client = Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        RunUntil(() => GuestWire.Disposed && Ended.Contains(client), TimeSpan.FromSeconds(4));
        Assert.Equal((StackError.ConnectionReset, StackError.ConnectionReset), (client.Error, server.Error));
    }

    [Fact]
    public void A_published_port_leads_to_it_from_the_peers_own_address()
    {
        Assert.Equal(GuestAnswer.Done, Publish("tcp:8080=80"));
        Assert.Equal(StackError.None, Guest.Tcp.Listen(new IpEndpoint(IpAddress.AnyV4, 80), 4, default, out var listener));
        var client = Peer.Connect(8080);
        var server = AcceptAtGuest(listener!);
        Peer.Send(client, [1, 2]);
        Assert.Equal((client.Local, new IpEndpoint(Address, 80)), (server.Remote, server.Local));
        RunUntil(() => Received(server).Length == 2);
        Write(server, 3);
        server.Close(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(client));
        Assert.Equal([3], Peer.Received(client));
        client.Close(Peer.Now);
        RunUntil(() => Peer.Ended.Contains(client) && Ended.Contains(server));
        Assert.Equal((StackError.None, StackError.None), (client.Error, server.Error));

        listener!.Close(Peer.Now);
        var refused = Peer.Connect(8080);
        RunUntil(() => Peer.Ended.Contains(refused));
        Assert.Equal(StackError.ConnectionReset, refused.Error);
        Assert.Equal((int)StackError.AddressInUse, Publish("tcp:8080").Error);
    }

    [Fact]
    public void A_published_port_of_datagrams_is_the_guests_own()
    {
        Assert.Equal(GuestAnswer.Done, Publish("udp:5353=53"));
        Assert.Equal(StackError.None, Guest.Udp.Bind(new IpEndpoint(default, 53), new(), out var server));
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(default, new(), out var client));
        Assert.Equal(StackError.None, client!.Send(Bytes([7]), new IpEndpoint(Address, 5353), Peer.Now));
        PacketBuffer? data = null;
        IpEndpoint from = default;
        RunUntil(() => server!.TryReceive(out data, out from));
        Assert.Equal(new IpEndpoint(Support.Peer.Address, client.Local.Port), from);
        Assert.Equal(StackError.None, server!.Send(data!, from, Peer.Now));
        RunUntil(() => client.TryReceive(out data, out from));
        Assert.Equal((7, new IpEndpoint(Address, 5353)), (data!.Span[0], from));
        data.Release();
        client.Close();
        server.Close();
    }

    [Fact]
    public void Its_published_ports_are_closed_with_it()
    {
        Assert.Equal(GuestAnswer.Done, Publish("tcp:8080=80"));
        Assert.Equal(GuestAnswer.Done, Publish("udp:8080=80"));
        Sys.Stop(Lifeline.Ref);
        RunUntil(() => GuestWire.Disposed);
        var late = Peer.Connect(8080);
        RunUntil(() => Peer.Ended.Contains(late));
        Assert.Equal(StackError.ConnectionRefused, late.Error);
        Assert.NotEqual(0, Publish("tcp:8080").Error);
    }

    [Fact]
    public void It_ends_with_itsGuestWire()
    {
        var listener = Peer.Listen(80);
        Connect(new IpEndpoint(Support.Peer.Address, 80));
        var server = Accept(listener);
        GuestWire.Break();
        RunUntil(() => Peer.Ended.Contains(server) && GuestWire.Disposed);
        var other = new MemoryWire("other") { Medium = Medium.Ip };
        Assert.Equal(0, Add(other, ActorRefs.Nobody).Error);
    }
}

/// <summary>Everything about guests has a limit.</summary>
public sealed class GuestLimitSpecs() : GuestSetup("guests { max-guests = 1, max-connections = 1, max-flows = 1, flow-idle = 5s }")
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
