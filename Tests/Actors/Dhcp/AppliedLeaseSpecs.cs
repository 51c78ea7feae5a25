using System.Buffers.Binary;
using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Dhcp;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Stack.Dhcp;
using Xunit;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>What a client's actor asks of the driver, which is busy, does not answer in time, or refuses.</summary>
public sealed class AppliedLeaseSpecs : ActorSpec
{
    private static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:02");

    private readonly TestProbe _driver;
    private readonly TestProbe _stack;
    private readonly IActorRef _client;

    public AppliedLeaseSpecs()
    {
        _driver = CreateTestProbe();
        _stack = CreateTestProbe();
        var settings = new DhcpSettings("", false, DhcpIdentity.Hardware, "off");
        _client = _driver.ChildActorOf(DhcpActor.Props(new DhcpContext("tw0", settings, _stack, CreateTestProbe(), new VirtualClock(Scheduler), new byte[32])).WithDispatcher(VirtualTime.Dispatcher));
        Run();
        _stack.ExpectMsg<OpenDhcp>();
        _client.Tell(new DhcpOpened(Hardware, 1500));
        Advance(TimeSpan.FromSeconds(1));
        Answer(DhcpMessageType.Offer);
        Answer(DhcpMessageType.Ack);
        Advance(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_busy_driver_is_asked_again()
    {
        var first = _driver.ExpectMsg<LeaseChanges>();
        Assert.Null(first.Before);
        Reply(LinkErrno.Busy);
        Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(first, _driver.ExpectMsg<LeaseChanges>());
        Reply(0);
        Advance(TimeSpan.FromSeconds(5));
        Assert.False(_driver.HasMessages, "It asks again.");
    }

    [Fact]
    public void After_a_time_out_all_goes_before_anything_comes()
    {
        var lease = _driver.ExpectMsg<LeaseChanges>().After;
        Reply((int)StackError.TimedOut);
        Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(new LeaseChanges("tw0", lease, null), _driver.ExpectMsg<LeaseChanges>());
        Reply(0);
        Assert.Equal(new LeaseChanges("tw0", null, lease), _driver.ExpectMsg<LeaseChanges>());
        Reply(0);
        Advance(TimeSpan.FromSeconds(5));
        Assert.False(_driver.HasMessages, "It asks again.");
    }

    [Fact]
    public void What_was_refused_is_not_asked_for_again()
    {
        _driver.ExpectMsg<LeaseChanges>();
        CreateEventFilter(Sys).Warning(contains: "the lease cannot be used").ExpectOne(() => Reply((int)StackError.AddressInUse));
        Advance(TimeSpan.FromSeconds(60));
        Assert.False(_driver.HasMessages, "It asks again.");
    }

    private void Reply(int error)
    {
        _client.Tell(new CommandAnswer(error, "The address is there already."), _driver);
        Run();
    }

    private void Answer(DhcpMessageType type)
    {
        var transaction = BinaryPrimitives.ReadUInt32BigEndian(_stack.ExpectMsg<SendDhcp>().Message.Span[4..]);
        _client.Tell(new DhcpReceived(DhcpReply.Lease(type, transaction, Hardware).ToArray()));
        Run();
    }
}
