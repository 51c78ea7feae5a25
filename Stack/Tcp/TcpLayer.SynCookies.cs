using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The passive open when SYN-RECEIVED is full: cookies (RFC 4987, 3.6).</content>
public sealed partial class TcpLayer
{
    private readonly SynCookies _cookies;

    private bool IsSynCacheFull(TcpListener listener) =>
        EmbryonicCount >= Options.MaxEmbryonic || listener.EmbryonicCount >= Math.Max(listener.Backlog, Options.MaxEmbryonicPerListener);

    /// <summary>Answers a SYN and forgets it. Scaling and SACK are agreed upon only if timestamps can carry them back.</summary>
    private void AnswerWithCookie(TcpListener listener, in TcpPair pair, in TcpHeader syn, int mtu, Instant now)
    {
        listener.OverflowedAt = now;
        Counters.TcpExtTCPReqQFullDoCookies++;
        Counters.TcpExtSyncookiesSent++;
        var offer = SynOptions.Of(syn, Options);
        var carried = offer.Timestamps ? offer : offer with { WindowScaling = false, SelectiveAck = false, Ecn = false };
        var mss = offer.PeerMss == 0 ? TcpSocket.DefaultMssFor(pair.Remote.Address) : offer.PeerMss;
        var header = SynAck(listener, pair, _cookies.Make(pair, syn.Sequence, mss, now), syn.Sequence, carried, mtu, now);
        if (carried.Timestamps)
            header.TimestampValue = SynCookies.Timestamp(TimestampClock(now), carried) + TimestampOffset(pair);
        SendControl(pair, ref header, listener.Options.Value, now);
    }

    /// <summary>An acknowledgement for which there is no connection: if it brings back a cookie, one is made. Cookies are looked for only where some were
    /// handed out lately, so that nobody may guess at them in peace.</summary>
    /// <returns>False: it brings none. True: it does, and the segment is taken. With the listener's queue full it is not answered, as in Linux; nor is data
    /// that comes before the acknowledgement or the first data: that was lost, and will be sent again (Linux resets the connection).</returns>
    private bool CookieReturns(TcpListener listener, in TcpPair pair, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (!Options.SynCookies || now - listener.OverflowedAt > SynCookies.Lifetime)
            return false;
        var iss = header.Acknowledgment - 1;
        var irs = header.Sequence - 1;
        switch (_cookies.Read(iss, pair, irs, now, out var mss))
        {
            case SynCookieMatch.None:
                Counters.TcpExtSyncookiesFailed++;
                return false;
            case SynCookieMatch.OtherSequence:
                Counters.TcpInAheadOfCookie++;
                segment.Release();
                return true;
        }

        Counters.TcpExtSyncookiesRecv++;
        if (!HasPlace(listener) || Ip.Route(pair.Remote.Address, pair.Local.Address, out var route) != StackError.None)
        {
            segment.Release();
            return true;
        }

        var agreed = new SynOptions { PeerMss = mss };
        if (Options.Timestamps && header.HasTimestamp
            && SynCookies.TryReadOptions(header.TimestampEcho - TimestampOffset(pair), TimestampClock(now), ref agreed))
        {
            agreed.Timestamps = true;
            agreed.TsRecent = header.TimestampValue;
        }

        var embryo = new TcpEmbryo(listener, pair, _table.HashOf(pair))
        {
            Iss = iss, Irs = irs, Since = now, Mtu = route.Mtu, SuperFrame = route.SuperFrame, Agreed = agreed, AnsweredOften = true,
        };
        var connection = new TcpConnection(pair, embryo.Hash);
        AddEntry(connection);
        Establish(embryo, connection, ref header, segment, now);
        return true;
    }
}
