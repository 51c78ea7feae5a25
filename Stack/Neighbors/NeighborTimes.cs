using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>Times of an interface's neighbours: those of the options, and of IPv6 what the routers of the link say instead (RFC 4861, 6.3.4).</summary>
internal sealed class NeighborTimes(NeighborOptions options)
{
    /// <summary>Bounds of what a router may say, as whoever is on the link can say it: neighbours are neither asked all the time, nor believed for longer than it may advertise (RFC 4861, 6.2.1).</summary>
    private static readonly TimeSpan LeastReachable = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MostReachable = TimeSpan.FromHours(1);
    private static readonly TimeSpan LeastRetransmit = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MostRetransmit = TimeSpan.FromSeconds(10);

    private TimeSpan _reachable;
    private TimeSpan _retransmit;

    /// <summary>Takes what routers have said last; zero: nothing.</summary>
    public void Advertised(TimeSpan reachable, TimeSpan retransmit)
    {
        _reachable = Within(reachable, LeastReachable, MostReachable);
        _retransmit = Within(retransmit, LeastRetransmit, MostRetransmit);
    }

    /// <summary>How long an answer confirms a neighbour, before it is made half to one and a half times as long.</summary>
    public TimeSpan Reachable(IpAddress neighbor) => neighbor.IsV6 && _reachable > TimeSpan.Zero ? _reachable : options.ReachableTime;

    /// <summary>Between two questions for a neighbour, or whether another station has an own address.</summary>
    public TimeSpan Retransmit(IpAddress address) => address.IsV6 && _retransmit > TimeSpan.Zero ? _retransmit : options.RetransmitTime;

    private static TimeSpan Within(TimeSpan time, TimeSpan least, TimeSpan most) =>
        time == TimeSpan.Zero ? time : time < least ? least : time > most ? most : time;
}
