using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class EngineFaultSpec : StackSetup
{
    private readonly FailingPool _failing;

    public EngineFaultSpec()
        : this(new FailingPool())
    {
    }

    private EngineFaultSpec(FailingPool pool)
        : base(pool) => _failing = pool;

    [Fact]
    public void A_frame_on_which_the_engine_fails_is_logged_with_its_bytes_counted_and_survived()
    {
        Start();

        // A frame in two pieces is copied into one: the engine rents, and the pool is not itself.
        var pool = new BufferPool();
        var pieces = pool.Rent(14);
        Question.AsSpan(0, 14).CopyTo(pieces.Append(14));
        var rest = pool.Rent(Question.Length);
        Question.CopyTo(rest.Append(Question.Length));
        pieces.AddFragment(rest, 14, Question.Length - 14);
        rest.Release();
        _failing.FailsNextRent = true;
        EventFilter.Exception<InvalidOperationException>(contains: Convert.ToHexString(Question.AsSpan(0, 14))).ExpectOne(() => Stack.Tell(Frame.Of(pieces)));
        Assert.Equal(1, Counter("EngineFaults"));

        Stack.Tell(Arriving(Question));
        Assert.Single(Emitted());
    }

    [Fact]
    public void A_ping_on_which_the_engine_fails_is_answered_and_the_next_one_goes_out()
    {
        Start();
        _failing.FailsNextRent = true;
        EventFilter.Exception<InvalidOperationException>(contains: nameof(Ping)).ExpectOne(() =>
            Owner.Send(Stack, new Ping(StackHarness.PeerIp, 8, TimeSpan.FromSeconds(1))));
        Assert.Equal(StackError.ConnectionAborted, Owner.ExpectMsg<PingAnswer>().Error);
        Assert.Equal(1, Counter("EngineFaults"));
        Owner.Send(Stack, new Ping(StackHarness.PeerIp, 8, TimeSpan.FromSeconds(1)));
        Assert.Single(Emitted());
    }

    [Fact]
    public void A_message_about_a_socket_on_which_the_engine_fails_ends_that_socket_and_no_other()
    {
        Start();
        var (first, second) = (OpenUdp(), OpenUdp());
        Clock.FailsNext = true;
        var data = Pool.Rent(1);
        EventFilter.Exception<InvalidTimeZoneException>(contains: nameof(SendDatagram)).ExpectOne(() =>
            Owner.Send(Stack, SendDatagram.Of(first, data, new IpEndpoint(StackHarness.PeerIp, 9))));
        Assert.Equal(StackError.ConnectionAborted, Owner.ExpectMsg<Closed>().Reason);
        Assert.Equal(StackError.ConnectionAborted, Owner.ExpectMsg<DatagramSent>().Error);
        Owner.Send(Stack, SendDatagram.Of(second, Pool.Rent(1), new IpEndpoint(StackHarness.PeerIp, 9)));
        Assert.Equal(StackError.None, Owner.ExpectMsg<DatagramSent>().Error);
        Assert.Single(Status().Connections);
    }

    [Fact]
    public void A_poll_that_fails_is_made_again_after_a_pause()
    {
        Start();
        Clock.FailsNext = true;
        EventFilter.Exception<InvalidTimeZoneException>(contains: nameof(Poll)).ExpectOne(() => Stack.Tell(Arriving(Question)));
        Assert.Empty(Emitted());
        Advance(TimeSpan.FromMilliseconds(10));
        Assert.Single(Emitted());
    }

    private SocketId OpenUdp()
    {
        Owner.Send(Stack, new OpenDatagram(default, new()));
        return Owner.ExpectMsg<DatagramOpened>().Id;
    }

    /// <summary>Makes whoever rents next fail, once.</summary>
    private sealed class FailingPool : BufferPool
    {
        public bool FailsNextRent { get; set; }

        protected override void OnRented(PacketBuffer buffer)
        {
            if (!FailsNextRent)
                return;
            FailsNextRent = false;
            throw new InvalidOperationException("A fault on purpose.");
        }
    }
}
