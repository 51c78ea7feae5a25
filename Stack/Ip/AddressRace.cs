namespace Tapwire.Stack.Ip;

/// <summary>The addresses of a destination in the order in which they are tried (Happy Eyeballs, RFC 8305): the next one when the last has failed, or has not answered for a
/// while, so that a family that leads nowhere costs no more than that.</summary>
public sealed class AddressRace(IReadOnlyList<IpAddress> addresses)
{
    /// <summary>Connection Attempt Delay of RFC 8305, 5.</summary>
    public static readonly TimeSpan AttemptDelay = TimeSpan.FromMilliseconds(250);

    private readonly List<IpAddress> _order = Interleaved(addresses);
    private int _next;
    private int _running;
    private int _rank = int.MaxValue;

    /// <summary>Why the first of the addresses could not be reached. The client is told this if no other can be.</summary>
    public StackError Failure { get; private set; }

    /// <summary>The address that <see cref="Failure"/> is about.</summary>
    public IpAddress FailedAddress { get; private set; }

    /// <summary>All have been tried, and none leads there.</summary>
    public bool IsLost => _running == 0 && _next == _order.Count;

    /// <summary>There are addresses that have not been tried.</summary>
    public bool HasNext => _next < _order.Count;

    /// <summary>The address to be tried now.</summary>
    public IpAddress Next()
    {
        _running++;
        return _order[_next++];
    }

    /// <summary>An attempt has failed.</summary>
    public void Failed(IpAddress address, StackError error)
    {
        _running--;
        var rank = _order.IndexOf(address);
        // That there is no route to a family says less than what a host has answered.
        if (error == StackError.NetworkUnreachable)
            rank += _order.Count;
        if (rank >= _rank)
            return;
        _rank = rank;
        (Failure, FailedAddress) = (error, address);
    }

    /// <summary>The families by turns, IPv6 first; in each the resolver's order stays (RFC 8305, 4).</summary>
    private static List<IpAddress> Interleaved(IReadOnlyList<IpAddress> addresses)
    {
        var v6 = addresses.Where(static address => address.IsV6).ToList();
        var v4 = addresses.Where(static address => address.IsV4).ToList();
        var order = new List<IpAddress>(addresses.Count);
        for (var i = 0; i < Math.Max(v6.Count, v4.Count); i++)
        {
            order.AddRange(v6.Skip(i).Take(1));
            order.AddRange(v4.Skip(i).Take(1));
        }

        return order;
    }
}
