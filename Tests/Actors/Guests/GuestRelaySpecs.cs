using Akka.Actor;
using Akka.TestKit;
using Tapwire.Actors.Guests;
using Tapwire.Messages;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Guests;

/// <summary>A relay between the stack actors of a driver and of its guest, which the specs play.</summary>
public sealed class GuestRelaySpecs : ActorSpec
{
    private static readonly IpEndpoint Source = new(IpAddress.Parse("10.99.0.2"), 40000);
    private static readonly IpEndpoint Destination = new(IpAddress.Parse("10.99.0.1"), 80);
    private static readonly SocketId OuterId = new(1, 1);
    private static readonly SocketId InnerId = new(2, 1);

    /// <summary>Whoever waits for more room than a connection ever has waits for ever.</summary>
    [Fact]
    public void A_buffer_longer_than_all_the_room_of_the_connection_goes_in_pieces()
    {
        var pool = new DiagnosingBufferPool();
        var outer = CreateTestProbe("outer");
        var inner = CreateTestProbe("inner");
        var relay = Sys.ActorOf(GuestRelayActor.Props(outer.Ref, inner.Ref, new ForwardHandshake(Source, Destination), pool));
        outer.ExpectMsg<Connect>();
        relay.Tell(new Connected(OuterId, Source, Destination, SendRoom: 100), outer.Ref);
        inner.ExpectMsg<AcceptForwarded>();
        relay.Tell(new Connected(InnerId, Destination, Source, SendRoom: 1000), inner.Ref);

        var bytes = Enumerable.Range(0, 250).Select(static i => (byte)i).ToArray();
        relay.Tell(ReadReady.Of(pool.RentCopy(bytes), bytes.Length, endOfStream: true), inner.Ref);
        var written = new List<byte>();
        foreach (var piece in new[] { 100, 100, 50 })
        {
            var write = outer.ExpectMsg<WriteRequest>();
            Assert.Equal((OuterId, piece), (write.Id, write.Data.Length));
            written.AddRange(write.Data.Span);
            write.Release();
            Assert.Equal(piece, inner.ExpectMsg<ReadDone>().Bytes);
            if (piece == 50)
                break;

            // Some of the room is not enough: the rest of it comes without fail.
            outer.ExpectNoMsg(TimeSpan.Zero);
            relay.Tell(WriteDone.Of(30), outer.Ref);
            outer.ExpectNoMsg(TimeSpan.Zero);
            relay.Tell(WriteDone.Of(70), outer.Ref);
        }

        Assert.Equal(bytes, written);
        outer.ExpectMsg<Shutdown>();
        relay.Tell(PoisonPill.Instance);
        outer.ExpectMsg<Abort>();
        inner.ExpectMsg<Abort>();
        pool.AssertAllReturned();
    }
}
