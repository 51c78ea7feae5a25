using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>Numbers of a connection that cannot be predicted without the keys.</summary>
internal sealed class TcpSecrets(SipHash sequenceKey, SipHash timestampKey, SipHash fastOpenKey)
{
    /// <summary>The initial sequence number of a connection: a clock of 4 µs plus a keyed hash of the endpoints (RFC 6528, 3).</summary>
    public uint InitialSequence(in TcpPair pair, Instant now) => (uint)(now.Microseconds / 4) + (uint)HashOf(sequenceKey, pair);

    /// <summary>The offset of a connection's timestamps from the clock, which hides the uptime and the relation of one connection to another.</summary>
    public uint TimestampOffset(in TcpPair pair) => (uint)HashOf(timestampKey, pair);

    /// <summary>The cookie for a client: a keyed hash of the addresses (RFC 7413, 4.1.2).</summary>
    public FastOpenCookie FastOpenCookieFor(in TcpPair pair) =>
        new(HashOf(fastOpenKey, new TcpPair(new IpEndpoint(pair.Local.Address, 0), new IpEndpoint(pair.Remote.Address, 0))), 0, sizeof(ulong));

    public static ulong HashOf(in SipHash key, in TcpPair pair)
    {
        var (localHigh, localLow) = pair.Local.Address.Halves;
        var (remoteHigh, remoteLow) = pair.Remote.Address.Halves;
        return key.Hash(localHigh, localLow, remoteHigh, remoteLow, (ulong)pair.Local.Port << 16 | pair.Remote.Port);
    }
}
