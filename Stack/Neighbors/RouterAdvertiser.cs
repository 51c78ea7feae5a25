using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Neighbors;

/// <summary>
/// The router's side of router discovery on one interface (RFC 4861, 6.2): tells the link of the interface's prefixes, in intervals and when it is asked. Stations make their addresses of those. It says nothing while the interface
/// has no address but its link-local one.
/// </summary>
/// <param name="isRouter">The stack forwards: stations may send it what is for elsewhere.</param>
internal sealed class RouterAdvertiser(NetworkInterface owner, AdvertisementOptions options, bool isRouter, TimerWheel timers, KeyedRandom random, StackCounters counters) : Timer
{
    /// <summary>MinRtrAdvInterval and MaxRtrAdvInterval (RFC 4861, 6.2.1).</summary>
    private static readonly TimeSpan LeastInterval = TimeSpan.FromSeconds(200);
    private static readonly TimeSpan LongestInterval = TimeSpan.FromSeconds(600);

    /// <summary>AdvDefaultLifetime: three intervals. Name servers and search lists likewise (RFC 8106, 5.1).</summary>
    private static readonly TimeSpan RouterLifetime = 3 * LongestInterval;

    /// <summary>How long addresses of a prefix are valid, and used for new connections, after the last advertisement.</summary>
    private static readonly TimeSpan ValidLifetime = TimeSpan.FromDays(1);
    private static readonly TimeSpan PreferredLifetime = TimeSpan.FromHours(4);

    // RFC 4861, 10: MAX_INITIAL_RTR_ADVERT_INTERVAL, MAX_INITIAL_RTR_ADVERTISEMENTS, MIN_DELAY_BETWEEN_RAS, MAX_RA_DELAY_TIME.
    private static readonly TimeSpan InitialInterval = TimeSpan.FromSeconds(16);
    private const int InitialAdvertisements = 3;
    private static readonly TimeSpan LeastPause = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMilliseconds(500);

    /// <summary>While the link-local address is being asked for (RFC 4862, 5.4).</summary>
    private static readonly TimeSpan AddressPause = TimeSpan.FromMilliseconds(250);

    private const byte OtherConfiguration = 0x40;
    private const byte OnLink = 0x80;
    private const byte Autonomous = 0x40;

    private const int MostPrefixes = 8;
    private const int MostServers = 3;
    private const int LongestMessage = 1280 - Ipv6Header.Length;

    /// <summary>Answers to single stations: each costs a frame, and who asks without end gets no more than these.</summary>
    private TokenBucket _answers = new(perSecond: 10, burst: 10);

    private int _initial;
    private bool _hasSent;
    private Instant _sentAt;

    private bool HasPrefix => owner.Addresses.Any(static own => own.Address.IsV6 && !own.Address.IsLinkLocal);

    /// <summary>The link has come up, or the interface has another prefix: stations may be there that know nothing of it yet.</summary>
    public void Start(Instant now)
    {
        _initial = 0;
        timers.Arm(this, now);
    }

    /// <summary>A station has asked. One that has an address is answered at once; the others hear the next advertisement to all, which comes soon (RFC 4861, 6.2.6).</summary>
    /// <param name="hardware">Whom the frame has come from.</param>
    public void Solicited(IpAddress source, MacAddress hardware, Instant now)
    {
        if (!source.IsUnspecified && _answers.TryTake(now) && TrySend(source, hardware, RouterLifetime))
            return;
        var soon = now + LongestDelay * (random.Next(1024) / 1024.0);
        if (_hasSent)
            soon = Instant.Max(soon, _sentAt + LeastPause);
        if (!IsArmed || soon < Deadline)
            timers.Arm(this, soon);
    }

    /// <summary>Says that this is no router any more. Addresses of the prefixes stay as long as they are valid.</summary>
    public void Stop()
    {
        timers.Cancel(this);
        if (_hasSent)
            TrySend(IpAddress.AllNodes, null, TimeSpan.Zero);
        _hasSent = false;
    }

    protected internal override void Fire(Instant now)
    {
        if (!TrySend(IpAddress.AllNodes, null, RouterLifetime))
        {
            // The first prefix starts it again.
            if (HasPrefix)
                timers.Arm(this, now + AddressPause);
            return;
        }

        (_hasSent, _sentAt) = (true, now);
        var next = LeastInterval + (LongestInterval - LeastInterval) * (random.Next(1024) / 1024.0);
        timers.Arm(this, now + (++_initial < InitialAdvertisements && next > InitialInterval ? InitialInterval : next));
    }

    /// <returns>False: there is no address to send from, or nothing to be said.</returns>
    private bool TrySend(IpAddress to, MacAddress? hardware, TimeSpan lifetime)
    {
        var source = owner.Addresses.FirstOrDefault(static own => own.Address.IsLinkLocal).Address;
        // RFC 4429, 3.2: an address that may be another's must not get into the stations' tables.
        if (!source.IsLinkLocal || (owner.Own.FlagsOf(source) & AddressFlags.Optimistic) != 0 || !HasPrefix)
            return false;
        Span<byte> message = stackalloc byte[LongestMessage];
        counters.NdpOutRouterAdvertisements++;
        owner.Framing.AdvertiseRouter(message[..Emit(message, lifetime)], source, to, hardware);
        return true;
    }

    private int Emit(Span<byte> bytes, TimeSpan lifetime)
    {
        bytes.Clear();
        new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 0).Emit(bytes);
        bytes[5] = options.HasOtherConfiguration ? OtherConfiguration : (byte)0;
        BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], isRouter ? (ushort)lifetime.TotalSeconds : (ushort)0);
        var at = RouterAdvertisement.Length;
        NdpOption.Emit(bytes[at..], NdpOption.SourceLinkLayerAddress, owner.Options.HardwareAddress);
        at += NdpOption.ShortLength;
        bytes[at] = NdpOption.Mtu;
        bytes[at + 1] = 1;
        BinaryPrimitives.WriteUInt32BigEndian(bytes[(at + 4)..], (uint)owner.Mtu);
        at += NdpOption.ShortLength;
        foreach (var prefix in owner.Addresses.Where(static own => own.Address.IsV6 && !own.Address.IsLinkLocal).DistinctBy(static own => (own.Network, own.Length)).Take(MostPrefixes))
            at += EmitPrefix(bytes[at..], prefix);
        return options.ServesNames && lifetime > TimeSpan.Zero ? EmitNames(bytes, at) : at;
    }

    /// <summary>Stations make addresses of prefixes with room for an identifier of theirs (RFC 4862, 5.5.3).</summary>
    private static int EmitPrefix(Span<byte> bytes, IpPrefix prefix)
    {
        bytes[0] = NdpOption.PrefixInformation;
        bytes[1] = PrefixInformation.Length / 8;
        bytes[2] = (byte)prefix.Length;
        bytes[3] = (byte)(OnLink | (prefix.Length == 64 ? Autonomous : 0));
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)ValidLifetime.TotalSeconds);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], (uint)PreferredLifetime.TotalSeconds);
        prefix.Network.CopyTo16(bytes[16..PrefixInformation.Length]);
        return PrefixInformation.Length;
    }

    private int EmitNames(Span<byte> bytes, int at)
    {
        var servers = owner.Addresses.Where(static own => own.Address.IsV6 && !own.Address.IsLinkLocal).Take(MostServers).ToList();
        at += EmitHead(bytes[at..], NdpOption.RecursiveDnsServer, 16 * servers.Count);
        foreach (var server in servers)
        {
            server.Address.CopyTo16(bytes[at..]);
            at += 16;
        }

        var names = DnsSearchList.Emit(options.Domains);
        var padded = (names.Length + 7) / 8 * 8;
        if (names.Length == 0 || padded > 248 || at + 8 + padded > bytes.Length)
            return at;
        at += EmitHead(bytes[at..], NdpOption.DnsSearchList, padded);
        names.CopyTo(bytes[at..]);
        return at + padded;
    }

    /// <summary>Type, length and lifetime of an option of RFC 8106.</summary>
    private static int EmitHead(Span<byte> bytes, byte type, int length)
    {
        bytes[0] = type;
        bytes[1] = (byte)((8 + length) / 8);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)RouterLifetime.TotalSeconds);
        return 8;
    }
}
