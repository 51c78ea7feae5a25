using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>What an acknowledgement number has to do with a SYN cookie.</summary>
internal enum SynCookieMatch : byte
{
    /// <summary>It is none, or a stale one.</summary>
    None,

    /// <summary>It seems to be one, but the segment is not the first one after the SYN.</summary>
    OtherSequence,

    Full,
}

/// <summary>
/// SYN cookies (RFC 4987, 3.6): initial sequence numbers that say, to whoever has the key, when a SYN came, for which endpoints and sequence number, and
/// about which MSS it carried, so that nothing needs to be remembered of it. Where both ends use timestamps, the timestamp that comes back holds the
/// other options, as in Linux.
/// </summary>
/// <remarks>
/// A cookie is a keyed hash of the endpoints, plus: 5 bits, the period; 11 bits, a hash over the period; 16 bits, a hash over the peer's sequence number
/// too, to which the place in a table of eight MSS is added. So the first 16 bits tell a later segment of somebody who has a cookie from a stranger's.
/// 16 of 2^32 values are good at a time: that is what a guess is worth.
/// </remarks>
internal sealed class SynCookies(KeyedRandom random)
{
    /// <summary>Cookies are good in the period they were made in and in the next one.</summary>
    private const int Periods = 2;

    private const int PeriodBits = 5;
    private const int PeriodShift = 32 - PeriodBits;
    private const int TagBits = 16;
    private const uint TagMask = (1u << TagBits) - 1;
    private const uint PairMask = (1u << (PeriodShift - TagBits)) - 1;

    /// <summary>In the place of a sequence number, which is smaller.</summary>
    private const ulong NoSequence = ulong.MaxValue;
    private const int TimestampBits = 6;
    private const uint ScaleMask = 15;
    private const uint SelectiveAckBit = 16;
    private const uint EcnBit = 32;

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
        var pairHash = TcpSecrets.HashOf(_pairKey, pair);
        var period = PeriodOf(now);
        var tag = (Tag(pairHash, period, irs) + (uint)index) & TagMask;
        return (uint)pairHash + ((uint)(period << PeriodShift) | (Tag(pairHash, period, NoSequence) & PairMask) << TagBits | tag);
    }

    /// <summary>Checks a cookie that has come back.</summary>
    /// <param name="peerMss">At most what the SYN said.</param>
    public SynCookieMatch Read(uint cookie, in TcpPair pair, uint irs, Instant now, out ushort peerMss)
    {
        peerMss = 0;
        var pairHash = TcpSecrets.HashOf(_pairKey, pair);
        cookie -= (uint)pairHash;
        var period = PeriodOf(now);
        var age = (uint)(period - (cookie >> PeriodShift)) & ((1u << PeriodBits) - 1);
        if (age >= Periods || ((cookie >> TagBits ^ Tag(pairHash, period - age, NoSequence)) & PairMask) != 0)
            return SynCookieMatch.None;
        var index = (cookie - Tag(pairHash, period - age, irs)) & TagMask;
        var sizes = SizesFor(pair);
        if (index >= sizes.Length)
            return SynCookieMatch.OtherSequence;
        peerMss = sizes[index];
        return SynCookieMatch.Full;
    }

    /// <summary>The timestamp of an answer with a cookie: the clock, turned back by less than 128 ms so that its last bits say what the SYN offered. It never
    /// runs ahead of the clock, nor backwards as long as the offer is the same, so that PAWS holds.</summary>
    public static uint Timestamp(uint clock, in SynOptions offer)
    {
        var bits = offer.WindowScaling ? Math.Min(offer.PeerWindowScale, 14u) : ScaleMask;
        if (offer.SelectiveAck)
            bits |= SelectiveAckBit;
        if (offer.Ecn)
            bits |= EcnBit;
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
        offer.Ecn = (timestamp & EcnBit) != 0;
        return true;
    }

    private static ulong PeriodOf(Instant now) => (ulong)(now.Ticks / Period.Ticks);

    private static ushort[] SizesFor(in TcpPair pair) => pair.Remote.Address.IsV4 ? SizesV4 : SizesV6;

    private uint Tag(ulong pairHash, ulong period, ulong irs) => (uint)_tagKey.Hash(pairHash, period, irs);
}
