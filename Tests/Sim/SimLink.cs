using Tapwire.Stack;

namespace Tapwire.Tests.Sim;

/// <summary>What has become of a packet.</summary>
[Flags]
internal enum SimFate : ushort
{
    Passed = 0,
    Lost = 1,
    QueueFull = 2,
    Outage = 4,
    TooBig = 8,
    Corrupt = 16,
    Duplicate = 32,
    Reordered = 64,
    Marked = 128,

    /// <summary>Sent before.</summary>
    Again = 256,

    /// <summary>Sent before, and that copy arrives.</summary>
    Needless = 512,

    Dropped = Lost | QueueFull | Outage | TooBig,
}

/// <summary>One direction of a path: decides what happens to each packet.</summary>
internal sealed class SimLink(Impairments impairments, Random random, Instant began)
{
    /// <summary>When the packets that wait, or are being sent, will have left.</summary>
    private readonly Queue<(Instant Leaves, int Packets)> _queue = new();
    private int _queued;
    private Instant _free;
    private Instant _lastArrival;
    private Instant _badUntil;

    public Impairments Impairments { get; set; } = impairments;

    /// <summary>The most packets that have waited at once.</summary>
    public int LongestQueue { get; private set; }

    /// <param name="length">Of the IP packet, or of all of a super-frame.</param>
    /// <param name="packets">1, or the segments of a super-frame.</param>
    /// <param name="canBeMarked">The packet says that its transport understands ECN.</param>
    /// <param name="at">When it arrives, unless it is dropped.</param>
    public SimFate Pass(int length, int packets, bool canBeMarked, Instant now, out Instant at)
    {
        at = now;
        if (Impairments.Mtu > 0 && packets == 1 && length > Impairments.Mtu)
            return SimFate.TooBig;
        if (now >= began + Impairments.OutageAfter && now < began + Impairments.OutageAfter + Impairments.OutageTime)
            return SimFate.Outage;
        var fate = SimFate.Passed;
        if (Impairments.Bandwidth > 0 && !Queue(length, packets, canBeMarked, ref at, ref fate))
            return SimFate.QueueFull;
        if (IsLost(now))
            return fate | SimFate.Lost;
        if (Happens(Impairments.Corrupt))
            fate |= SimFate.Corrupt;
        at += Impairments.Latency;
        if (Impairments.Jitter > TimeSpan.Zero)
            at += TimeSpan.FromTicks(random.NextInt64(Impairments.Jitter.Ticks));
        if (Happens(Impairments.Reorder))
        {
            var longest = Impairments.ReorderTime > TimeSpan.Zero ? Impairments.ReorderTime.Ticks : 3 * Math.Max(Impairments.Latency.Ticks, 10_000);
            at += TimeSpan.FromTicks(random.NextInt64(1 + longest));
            return fate | SimFate.Reordered;
        }

        at = _lastArrival = Instant.Max(at, _lastArrival);
        return fate;
    }

    /// <summary>Whether something is to happen that happens with this probability. Draws nothing for what cannot happen.</summary>
    public bool Happens(double probability) => probability > 0 && random.NextDouble() < probability;

    private bool Queue(int length, int packets, bool canBeMarked, ref Instant at, ref SimFate fate)
    {
        while (_queue.TryPeek(out var first) && first.Leaves <= at)
            _queued -= _queue.Dequeue().Packets;
        if (_queued + packets > Impairments.QueueLimit && _queued > 0)
            return false;
        if (canBeMarked && Impairments.MarkThreshold > 0 && _queued >= Impairments.MarkThreshold)
            fate |= SimFate.Marked;
        at = _free = Instant.Max(at, _free) + TimeSpan.FromTicks((long)(length * 8 * (double)TimeSpan.TicksPerSecond / Impairments.Bandwidth));
        _queue.Enqueue((at, packets));
        _queued += packets;
        LongestQueue = Math.Max(LongestQueue, _queued);
        return true;
    }

    private bool IsLost(Instant now)
    {
        if (Impairments.BurstBegin > 0)
        {
            if (now < _badUntil)
            {
                if (Happens(Impairments.BurstEnd))
                    _badUntil = Instant.Zero;
            }
            else if (Happens(Impairments.BurstBegin))
            {
                _badUntil = now + Impairments.BurstTime;
            }

            if (now < _badUntil && Happens(Impairments.BurstLoss))
                return true;
        }

        return Happens(Impairments.Loss);
    }
}
