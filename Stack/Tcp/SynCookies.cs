using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// SYN cookies (RFC 4987, 3.6): initial sequence numbers that say, to whoever has the key, when a SYN came, for which endpoints and sequence number, and
/// about which MSS it carried, so that nothing needs to be remembered of it. Where both ends use timestamps, the timestamp that comes back holds the
/// other options, as in Linux.
/// </summary>
/// <remarks>
/// A cookie is a keyed hash of the endpoints, plus the period in the 5 upper bits, plus 27 bits of a second hash, over the period and the peer's sequence
/// number too, to which the place in a table of eight MSS is added. Whoever guesses meets one of the 16 values that are good at a time with a chance of
/// 1 in 8 million.
/// </remarks>
internal sealed class SynCookies(KeyedRandom random)
{
    /// <summary>Cookies are good in the period they were made in and in the next one.</summary>
    private const int Periods = 2;

    private const int PeriodBits = 5;
    private const int TagBits = 32 - PeriodBits;
    private const uint TagMask = (1u << TagBits) - 1;
    private const int TimestampBits = 6;
    private const uint ScaleMask = 15;
    private const uint SelectiveAckBit = 16;

    public static readonly TimeSpan Period = TimeSpan.FromSeconds(64);

    /// <summary>How long a cookie may be good.</summary>
    public static readonly TimeSpan Lifetime = Periods * Period;

    /// <summary>Common values (Ethernet, PPPoE and tunnels, jumbo frames) and what catches the rest: a cookie never says more than the peer did.</summary>
    private static readonly ushort[] SizesV4 = [48, 256, 536, 1024, 1300, 1440, 1460, 8960];
    private static readonly ushort[] SizesV6 = [48, 536, 1024, 1220, 1360, 1420, 1440, 8940];

    private readonly SipHash _pairKey = random.NextHash();
    private readonly SipHash _tagKey = random.NextHash();

    /// <summary>The initial sequence number that answers a SYN.</summary>
    /// <param name="irs">The SYN's sequence number.</param>
    public uint Make(in TcpPair pair, uint irs, int peerMss, Instant now)
    {
        var sizes = SizesFor(pair);
        var index = sizes.Length - 1;
        while (index > 0 && sizes[index] > peerMss)
            index--;
        var pairHash = TcpLayer.HashOf(_pairKey, pair);
        var period = PeriodOf(now);
        return (uint)pairHash + (uint)(period << TagBits) + ((Tag(pairHash, period, irs) + (uint)index) & TagMask);
    }

    /// <summary>Checks a cookie that has come back.</summary>
    /// <param name="peerMss">At most what the SYN said.</param>
    public bool TryRead(uint cookie, in TcpPair pair, uint irs, Instant now, out ushort peerMss)
    {
        peerMss = 0;
        var pairHash = TcpLayer.HashOf(_pairKey, pair);
        cookie -= (uint)pairHash;
        var period = PeriodOf(now);
        var age = (uint)(period - (cookie >> TagBits)) & ((1u << PeriodBits) - 1);
        if (age >= Periods)
            return false;
        var index = (cookie - Tag(pairHash, period - age, irs)) & TagMask;
        var sizes = SizesFor(pair);
        if (index >= sizes.Length)
            return false;
        peerMss = sizes[index];
        return true;
    }

    /// <summary>The timestamp of an answer with a cookie: the clock, turned back by less than 128 ms so that its last bits say what the SYN offered. It never
    /// runs ahead of the clock, nor backwards as long as the offer is the same, so that PAWS holds.</summary>
    public static uint Timestamp(uint clock, in SynOptions offer)
    {
        var bits = offer.WindowScaling ? Math.Min(offer.PeerWindowScale, 14u) : ScaleMask;
        if (offer.SelectiveAck)
            bits |= SelectiveAckBit;
        var timestamp = (clock & ~((1u << TimestampBits) - 1)) | bits;
        return Seq.Gt(timestamp, clock) ? timestamp - (1u << TimestampBits) : timestamp;
    }

    /// <summary>Reads the options out of a timestamp that has come back.</summary>
    /// <returns>False if no answer with a cookie that is still good can have had it.</returns>
    public static bool TryReadOptions(uint timestamp, uint clock, ref SynOptions offer)
    {
        if (clock - timestamp > Lifetime.TotalMilliseconds + (2 << TimestampBits))
            return false;
        offer.WindowScaling = (timestamp & ScaleMask) != ScaleMask;
        offer.PeerWindowScale = offer.WindowScaling ? (byte)(timestamp & ScaleMask) : (byte)0;
        offer.SelectiveAck = (timestamp & SelectiveAckBit) != 0;
        return true;
    }

    private static ulong PeriodOf(Instant now) => (ulong)(now.Ticks / Period.Ticks);

    private static ushort[] SizesFor(in TcpPair pair) => pair.Remote.Address.IsV4 ? SizesV4 : SizesV6;

    private uint Tag(ulong pairHash, ulong period, uint irs) => (uint)_tagKey.Hash(pairHash, period, irs);
}
