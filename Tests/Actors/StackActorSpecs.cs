using Tapwire.Stack.Interfaces;
using Akka.Actor;
using Akka.TestKit.TestActors;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class StackActorSpecs : StackSetup
{
    private static readonly IpEndpoint Nobody = new(IpAddress.Parse("10.0.0.77"), 80);
    private static readonly SocketId Gone = new(77, 1);

    [Fact]
    public void P3_the_first_frame_in_an_empty_queue_posts_one_poll_for_all_that_follow_it()
    {
        Start();
        Burst(Enumerable.Repeat(Question, 10));
        Assert.Equal(2, Clock.Looks); // one for the status that began it, one for the poll
        Assert.Equal(10, Emitted().Count);
    }

    [Fact]
    public void A_frame_that_comes_alone_is_answered_at_once()
    {
        Start();
        Stack.Tell(Arriving(Question));
        Assert.Single(Emitted());
        Stack.Tell(Arriving(Question));
        Assert.Single(Emitted());
    }

    [Fact]
    public void Work_per_poll_is_bounded_and_the_rest_goes_to_the_next()
    {
        Start(framesPerPoll: 4);
        Burst(Enumerable.Repeat(Question, 10));
        Assert.Equal(1 + 3, Clock.Looks);
        Assert.Equal(10, Emitted().Count);
    }

    [Fact]
    public void P2_a_burst_larger_than_the_queue_loses_the_newest_frames_counted_and_no_more()
    {
        Start(queueFrames: 8);
        Burst(Enumerable.Range(1, 11).Select(AskFrom));
        Assert.Equal(Enumerable.Range(1, 8).Select(number => (byte)number), Emitted().Select(AnsweredTo));
        Assert.Equal(3, Counter("FrameQueueDrops"));
    }

    [Fact]
    public void P2_the_queue_is_bounded_in_the_memory_that_frames_hold()
    {
        var held = Arriving(Question);
        var each = held.Buffer.Capacity;
        held.Release();
        Start(queueBytes: 5 * each + each / 2);
        Burst(Enumerable.Repeat(Question, 9));
        Assert.Equal(5, Emitted().Count);
        Assert.Equal(4, Counter("FrameQueueDrops"));

        // What has been digested makes room again.
        Burst(Enumerable.Repeat(Question, 5));
        Assert.Equal(5, Emitted().Count);
    }

    [Fact]
    public void An_idle_stack_is_not_polled()
    {
        Start();
        Advance(TimeSpan.FromHours(10), TimeSpan.FromSeconds(1));
        Assert.Equal(0, Clock.Looks);
    }

    [Fact]
    public void A_maximum_tick_polls_an_idle_stack_that_often()
    {
        Start(maximumTick: TimeSpan.FromMilliseconds(500));
        Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(10, Clock.Looks);
    }

    [Fact]
    public void A_tick_comes_at_the_engines_next_deadline_and_not_before()
    {
        Start();
        Stack.Tell(new Connect(Nobody, null, default), Owner.Ref);
        Owner.ExpectMsg<Connecting>();
        Assert.Single(Emitted()); // who has 10.0.0.77?
        var looks = Clock.Looks;
        Advance(TimeSpan.FromMilliseconds(999), TimeSpan.FromMilliseconds(1));
        Assert.Empty(Emitted());
        Assert.Equal(looks, Clock.Looks);
        Advance(TimeSpan.FromMilliseconds(1));
        Assert.Single(Emitted());
        Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(StackError.HostUnreachable, Owner.ExpectMsg<ConnectFailed>().Error);
    }

    [Fact]
    public void Frames_go_to_the_wire_within_its_credit_and_go_on_when_it_comes_back()
    {
        Start(egressCredit: 4);
        Burst(Enumerable.Range(1, 11).Select(AskFrom));
        Assert.Equal(new byte[] { 1, 2, 3, 4 }, Emitted().Select(AnsweredTo));
        Stack.Tell(new FramesWritten(0, 2));
        Assert.Equal(new byte[] { 5, 6 }, Emitted().Select(AnsweredTo));
        Stack.Tell(new FramesWritten(0, 4));
        Assert.Equal(new byte[] { 7, 8, 9, 10 }, Emitted().Select(AnsweredTo));
        Stack.Tell(new FramesWritten(0, 4));
        Assert.Equal(new byte[] { 11 }, Emitted().Select(AnsweredTo));
    }

    [Fact]
    public void Without_credit_the_actor_waits_for_it_instead_of_polling()
    {
        Start(egressCredit: 1);
        Stack.Tell(new Connect(new IpEndpoint(StackHarness.PeerIp, 80), null, default), Owner.Ref);
        Burst(Enumerable.Repeat(Question, 3));
        var looks = Clock.Looks;
        Advance(TimeSpan.FromMilliseconds(500));
        Assert.Equal(looks, Clock.Looks);
    }

    [Fact]
    public void Frames_that_have_no_credit_when_the_actor_stops_go_back_to_the_pool()
    {
        Start(egressCredit: 1);
        Burst(Enumerable.Repeat(Question, 3));
        Watch(Stack);
        Stack.Tell(PoisonPill.Instance);
        ExpectTerminated(Stack);
        Emitted();
        Assert.Equal(0, Pool.Rented);
    }

    [Fact]
    public void Messages_about_sockets_that_are_gone_are_ignored_and_release_their_buffers()
    {
        Start();
        Owner.Send(Stack, new WriteRequest(Gone, Pool.Rent(10)));
        Owner.Send(Stack, new ReadDone(Gone, 10));
        Owner.Send(Stack, new Shutdown(Gone, ShutdownDirection.Send));
        Owner.Send(Stack, new Close(Gone));
        Owner.Send(Stack, new Abort(Gone));
        Owner.Send(Stack, new Unbind(Gone));
        Owner.Send(Stack, new Unlisten(Gone));
        Owner.Send(Stack, new Accept(Gone, 1));
        Owner.Send(Stack, new ReceiveDatagrams(Gone, 1));
        Owner.Send(Stack, new CloseDatagram(Gone));
        Assert.False(Owner.HasMessages);
        Assert.Equal(0, Pool.Rented);
    }

    [Fact]
    public void Requests_about_sockets_that_are_gone_are_refused()
    {
        Start();
        Owner.Send(Stack, new Attach(Gone));
        Assert.Equal(StackError.ConnectionAborted, Owner.ExpectMsg<Closed>().Reason);
        Owner.Send(Stack, new SendDatagram(Gone, Pool.Rent(10), null));
        Assert.Equal(StackError.NotConnected, Owner.ExpectMsg<DatagramSent>().Error);
        Owner.Send(Stack, new SetOption(Gone, SocketOption.NoDelay, 1));
        Assert.Equal(StackError.NotConnected, Owner.ExpectMsg<OptionAnswer>().Error);
        Owner.Send(Stack, new GetOption(Gone, SocketOption.NoDelay));
        Assert.Equal(StackError.NotConnected, Owner.ExpectMsg<OptionAnswer>().Error);
        Owner.Send(Stack, new Connect(Nobody, Gone, default));
        Assert.Equal(StackError.InvalidArgument, Owner.ExpectMsg<ConnectFailed>().Error);
        Owner.Send(Stack, new Listen(default, 1, Gone, default));
        Assert.Equal(StackError.InvalidArgument, Owner.ExpectMsg<ListenFailed>().Error);
        Assert.Equal(0, Pool.Rented);
    }

    [Fact]
    public void A_message_about_an_earlier_socket_does_not_reach_the_present_one_of_its_index()
    {
        Start();
        Owner.Send(Stack, new Bind(new IpEndpoint(StackHarness.OwnIp, 80), default));
        var first = Owner.ExpectMsg<Bound>().Id;
        Owner.Send(Stack, new Unbind(first));
        Owner.Send(Stack, new Bind(new IpEndpoint(StackHarness.OwnIp, 80), default));
        var second = Owner.ExpectMsg<Bound>().Id;
        Assert.Equal(first.Index, second.Index);
        Owner.Send(Stack, new Unbind(first));
        Owner.Send(Stack, new Bind(new IpEndpoint(StackHarness.OwnIp, 80), default));
        Assert.Equal(StackError.AddressInUse, Owner.ExpectMsg<BindFailed>().Error);
    }

    [Fact]
    public void P13_a_bind_has_one_answer_and_the_port_is_free_after_unbind()
    {
        Start();
        Owner.Send(Stack, new Bind(new IpEndpoint(IpAddress.Unspecified, 0), default));
        var bound = Owner.ExpectMsg<Bound>();
        Assert.NotEqual(0, bound.Local.Port);
        Owner.Send(Stack, new Bind(bound.Local, default));
        Assert.Equal(StackError.AddressInUse, Owner.ExpectMsg<BindFailed>().Error);
        Owner.Send(Stack, new Unbind(bound.Id));
        Owner.Send(Stack, new Bind(bound.Local, default));
        Owner.ExpectMsg<Bound>();
        Owner.Send(Stack, new Bind(new IpEndpoint(StackHarness.PeerIp, 80), default));
        Assert.Equal(StackError.AddressNotAvailable, Owner.ExpectMsg<BindFailed>().Error);
        Assert.False(Owner.HasMessages);
    }

    [Fact]
    public void What_is_answered_to_an_actor_that_has_stopped_is_given_back()
    {
        Start();
        var stopped = Sys.ActorOf(BlackHoleActor.Props);
        Watch(stopped);
        Sys.Stop(stopped);
        ExpectTerminated(stopped);

        Stack.Tell(new Bind(new IpEndpoint(StackHarness.OwnIp, 1), default), stopped);
        Stack.Tell(new Listen(new IpEndpoint(StackHarness.OwnIp, 2), 1, null, default), stopped);
        Stack.Tell(new OpenDatagram(new IpEndpoint(StackHarness.OwnIp, 3), new UdpSocketOptions()), stopped);
        Stack.Tell(new Connect(Nobody, null, default), stopped);
        Assert.Empty(Status().Connections);
        Owner.Send(Stack, new Bind(new IpEndpoint(StackHarness.OwnIp, 1), default));
        Owner.ExpectMsg<Bound>();
    }

    [Fact]
    public void Addresses_are_added_and_removed_while_it_runs()
    {
        Start();
        var second = IpPrefix.Parse("192.0.2.1/24");
        Owner.Send(Stack, new AddAddress(second));
        Assert.Equal(StackError.None, Owner.ExpectMsg<AddressAnswer>().Error);
        Assert.NotEmpty(Emitted()); // it is announced
        Assert.Equal([IpPrefix.Parse("10.0.0.1/24"), second], Status().Addresses());
        Owner.Send(Stack, new AddAddress(second));
        Assert.Equal(StackError.AddressInUse, Owner.ExpectMsg<AddressAnswer>().Error);
        Owner.Send(Stack, new RemoveAddress(second.Address));
        Assert.Equal(StackError.None, Owner.ExpectMsg<AddressAnswer>().Error);
        Owner.Send(Stack, new RemoveAddress(second.Address));
        Assert.Equal(StackError.AddressNotAvailable, Owner.ExpectMsg<AddressAnswer>().Error);
    }

    [Fact]
    public void A_ping_is_answered_with_its_round_trip()
    {
        Start();
        Stack.Tell(Arriving(Question));
        Emitted();
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 56, TimeSpan.FromSeconds(1)));
        var request = Assert.Single(Emitted());
        Assert.False(Owner.HasMessages);
        Advance(TimeSpan.FromMilliseconds(30));
        Stack.Tell(Arriving(EchoReplyTo(request)));
        var answer = Owner.ExpectMsg<PingAnswer>();
        Assert.Equal((StackError.None, StackHarness.PeerIp, 30.0, 56), (answer.Error, answer.From, answer.RoundTrip.TotalMilliseconds, answer.Size));

        // Its time-out has been cancelled: no second answer.
        Advance(TimeSpan.FromSeconds(2));
        Assert.False(Owner.HasMessages);
    }

    /// <summary>A frame may wait for its turn, behind others or for a core that others have: that time is not the path's.</summary>
    [Fact]
    public void A_round_trip_ends_when_the_frame_came_and_not_when_its_turn_has_come()
    {
        Start();
        Stack.Tell(Arriving(Question));
        Emitted();
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 56, TimeSpan.FromSeconds(1)));
        var request = Assert.Single(Emitted());
        Advance(TimeSpan.FromMilliseconds(30));
        var reply = Arriving(EchoReplyTo(request));
        reply.Buffer.ReceivedAt = Clock.GetTimestamp();
        Advance(TimeSpan.FromMilliseconds(20));
        Stack.Tell(reply);
        Assert.Equal(30.0, Owner.ExpectMsg<PingAnswer>().RoundTrip.TotalMilliseconds);
    }

    [Fact]
    public void Time_does_not_go_back_for_a_frame_that_came_before_the_engine_s_last_turn()
    {
        Start();
        Stack.Tell(Arriving(Question));
        Emitted();
        var before = Clock.GetTimestamp() + 1;
        Advance(TimeSpan.FromMilliseconds(20));
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 56, TimeSpan.FromSeconds(1)));
        var request = Assert.Single(Emitted());
        var reply = Arriving(EchoReplyTo(request));
        reply.Buffer.ReceivedAt = before;
        Stack.Tell(reply);
        Assert.Equal(TimeSpan.Zero, Owner.ExpectMsg<PingAnswer>().RoundTrip);
    }

    [Fact]
    public void A_ping_that_nobody_answers_times_out_when_it_should_and_a_late_reply_is_ignored()
    {
        Start();
        Stack.Tell(Arriving(Question));
        Emitted();
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 56, TimeSpan.FromMilliseconds(700)));
        var request = Assert.Single(Emitted());
        Advance(TimeSpan.FromMilliseconds(690));
        Assert.False(Owner.HasMessages);
        Advance(TimeSpan.FromMilliseconds(10));
        Assert.Equal(StackError.TimedOut, Owner.ExpectMsg<PingAnswer>().Error);
        Stack.Tell(Arriving(EchoReplyTo(request)));
        Assert.False(Owner.HasMessages);
    }

    [Fact]
    public void Pings_that_cannot_be_sent_are_answered_at_once_with_the_reason()
    {
        Start();
        Owner.Send(Stack, new Ping(IpAddress.Parse("192.0.2.1"), 56, TimeSpan.FromSeconds(1)));
        Assert.Equal(StackError.NetworkUnreachable, Owner.ExpectMsg<PingAnswer>().Error);
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 65508, TimeSpan.FromSeconds(1)));
        Assert.Equal(StackError.MessageTooLong, Owner.ExpectMsg<PingAnswer>().Error);
    }

    [Fact]
    public void A_ping_to_a_host_that_is_not_there_is_EHOSTUNREACH()
    {
        Start();
        Owner.Send(Stack, new Ping(Nobody.Address, 56, TimeSpan.FromSeconds(10)));
        Advance(TimeSpan.FromSeconds(4));
        Assert.Equal(StackError.HostUnreachable, Owner.ExpectMsg<PingAnswer>().Error);
    }

    [Fact]
    public void A_ping_that_is_under_way_when_the_stack_stops_is_answered()
    {
        Start();
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 8, TimeSpan.FromSeconds(1)));
        Assert.False(Owner.HasMessages);
        Stack.Tell(PoisonPill.Instance);
        Assert.Equal(StackError.ConnectionAborted, Owner.ExpectMsg<PingAnswer>().Error);
        Advance(TimeSpan.FromSeconds(2));
        Assert.False(Owner.HasMessages);
    }

    [Fact]
    public void Status_lists_sockets_of_every_kind_and_counts_what_is_rented()
    {
        Start();
        Owner.Send(Stack, new Listen(new IpEndpoint(IpAddress.AnyV4, 80), 1, null, default));
        Owner.ExpectMsg<Listening>();
        Owner.Send(Stack, new OpenDatagram(new IpEndpoint(StackHarness.OwnIp, 53), new UdpSocketOptions()));
        Owner.ExpectMsg<DatagramOpened>();
        Owner.Send(Stack, new Connect(Nobody, null, default));
        var connecting = Owner.ExpectMsg<Connecting>();
        var status = Status();
        Assert.Equal(
            [
                new ConnectionStatus("Listen", new IpEndpoint(IpAddress.AnyV4, 80), default, 1, 0),
                new ConnectionStatus("Udp", new IpEndpoint(StackHarness.OwnIp, 53), default, 0, 0),
                new ConnectionStatus(nameof(TcpState.SynSent), connecting.Local, Nobody, 0, 0),
            ],
            status.Connections);
        Assert.Equal(1, status.ConnectionCount);
        Assert.Equal(Pool.Rented, status.BuffersRented);
        Assert.True(status.BuffersRented > 0); // the SYN waits for the neighbour
        Assert.Equal(TimeSpan.FromSeconds(5), status.Uptime);
        Assert.DoesNotContain(0, status.Counters.Values);
    }

    private static byte[] AskFrom(int number) => Build.Arp(new ArpPacket(
        ArpOperation.Request, StackHarness.PeerMac, IpAddress.FromBytes([10, 0, 0, (byte)(number + 100)]), default, StackHarness.OwnIp), MacAddress.Broadcast);

    /// <summary>Which question an ARP reply answers.</summary>
    private static byte AnsweredTo(byte[] frame) => (byte)(frame[EthernetHeader.Length + 27] - 100);

    private static byte[] EchoReplyTo(byte[] request)
    {
        var message = request.AsSpan(EthernetHeader.Length + Ipv4Header.Length);
        var identifier = (ushort)((message[4] << 8) | message[5]);
        var sequence = (ushort)((message[6] << 8) | message[7]);
        return Build.Icmp(Icmpv4Header.EchoReply(identifier, sequence), message[Icmpv4Header.Length..]);
    }
}
