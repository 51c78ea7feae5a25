using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>The relation of an acknowledgement number to a SYN cookie.</summary>
internal enum SynCookieMatch : byte
{
    /// <summary>The number is no cookie, or a stale one.</summary>
    None,

    /// <summary>The number seems to be a cookie, but the segment is not the first one after the SYN.</summary>
    OtherSequence,

    Full,
}

/// <summary>
/// SYN cookies (RFC 4987, 3.6): initial sequence numbers from which the holder of the key can tell when a SYN came, for which endpoints and sequence number,
/// and about which MSS it carried. So nothing needs to be stored for it. Where both ends use timestamps, the echoed timestamp holds the other options, as in
/// Linux.
/// </summary>
/// <remarks>
/// A cookie is a keyed hash of the endpoints, plus: 5 bits, the period; 11 bits, a hash over the period; 16 bits, a hash that includes the peer's sequence
/// number, to which the index in a table of eight MSS is added. The first 16 bits tell a later segment of a peer with a cookie from a forged one. 16 of 2^32
/// values are valid at a time, which is the chance of a guess.
/// </remarks>
internal sealed class SynCookies(KeyedRandom random)
{
    /// <summary>A cookie is valid in its own period and in the next one.</summary>
    private const int Periods = 2;

    private const int PeriodBits = 5;
    private const int PeriodShift = 32 - PeriodBits;
    private const int TagBits = 16;
    private const uint TagMask = (1u << TagBits) - 1;
    private const uint PairMask = (1u << (PeriodShift - TagBits)) - 1;

    /// <summary>Stands for no sequence number, which would be smaller.</summary>
    private const ulong NoSequence = ulong.MaxValue;
    private const int TimestampBits = 6;
    private const uint ScaleMask = 15;
    private const uint SelectiveAckBit = 16;
    private const uint EcnBit = 32;

    public static readonly TimeSpan Period = TimeSpan.FromSeconds(64);

    /// <summary>Longest validity of a cookie.</summary>
    public static readonly TimeSpan Lifetime = Periods * Period;

    /// <summary>Common values (Ethernet, PPPoE and tunnels, jumbo frames) and some between; the next lower one is used, so that a cookie never exceeds the
    /// peer's MSS.</summary>
    private static readonly ushort[] SizesV4 = [48, 256, 536, 1024, 1300, 1440, 1460, 8960];
    private static readonly ushort[] SizesV6 = [48, 536, 1024, 1220, 1360, 1420, 1440, 8940];

    private readonly SipHash _pairKey = random.NextHash();
    private readonly SipHash _tagKey = random.NextHash();

    /// <summary>Makes the initial sequence number that answers a SYN.</summary>
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

    /// <summary>Checks a returned cookie.</summary>
    /// <param name="peerMss">The MSS, at most that of the SYN.</param>
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

    /// <summary>The timestamp of an answer with a cookie: the clock, set back by less than 128 ms so that its last bits hold the SYN's options. It never
    /// exceeds the clock, and never goes back while the options are the same, so that PAWS holds.</summary>
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

    /// <summary>Reads the options from an echoed timestamp.</summary>
    /// <returns>False if no valid answer with a cookie can have had this timestamp.</returns>
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
