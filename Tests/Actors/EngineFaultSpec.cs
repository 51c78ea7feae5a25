using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Actors.Support;
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
