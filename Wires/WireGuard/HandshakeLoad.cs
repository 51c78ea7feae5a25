using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires.WireGuard;

/// <summary>
/// Decides when cookies are asked for, and limits the handshakes of each address while they are (Linux: receive.c, ratelimiter.c). Only an address that has proved itself by a cookie has an entry,
/// and the number of entries is bounded.
/// </summary>
internal sealed class HandshakeLoad(WireGuardLimits limits)
{
    private const int MostAddresses = 4096;

    private static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    private readonly Dictionary<IpAddress, Bucket> _addresses = [];
    private Instant _windowEnd;
    private Instant _loadedUntil;
    private int _inWindow;

    /// <summary>Counts a handshake message with a valid mac1.</summary>
    /// <returns>True: cookies are asked for, until there has been less for a second.</returns>
    public bool Count(Instant now)
    {
        if (now >= _windowEnd)
        {
            _windowEnd = now + Window;
            _inWindow = 0;
        }

        if (++_inWindow > limits.HandshakesPerSecond)
            _loadedUntil = now + Window;
        return IsLoaded(now);
    }

    public bool IsLoaded(Instant now) => now < _loadedUntil;

    /// <summary>Takes a handshake off an address's allowance.</summary>
    /// <returns>False: it has none left.</returns>
    public bool TryTake(IpAddress address, Instant now)
    {
        if (address.IsV6)
            address = address.Masked(64);
        var cost = TimeSpan.TicksPerSecond / limits.HandshakesPerSecondOfAddress;
        var most = cost * limits.HandshakeBurstOfAddress;
        if (!_addresses.TryGetValue(address, out var bucket))
        {
            if (_addresses.Count >= MostAddresses)
                Forget(now, most);
            if (_addresses.Count >= MostAddresses)
                return false;
            bucket = new Bucket(most, now);
        }

        var tokens = Math.Min(most, bucket.Tokens + (now - bucket.At).Ticks);
        var isAllowed = tokens >= cost;
        _addresses[address] = new Bucket(isAllowed ? tokens - cost : tokens, now);
        return isAllowed;
    }

    /// <summary>Forgets addresses that have their whole allowance again.</summary>
    private void Forget(Instant now, long most)
    {
        foreach (var (address, bucket) in _addresses)
        {
            if (bucket.Tokens + (now - bucket.At).Ticks >= most)
                _addresses.Remove(address);
        }
    }

    private readonly record struct Bucket(long Tokens, Instant At);
}
