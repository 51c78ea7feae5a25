using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// The passive open: from the SYN to a connection in the listener's queue (RFC 9293, 3.10.7.2). A SYN gets a place in the <see cref="SynCache"/>, an answer with a
/// cookie where that is full (RFC 4987, 3.6), or a connection at once if it brings a Fast Open cookie (RFC 7413).
/// </summary>
/// <param name="shard">Null: the stack has its addresses alone.</param>
internal sealed class PassiveOpen(TcpLayer tcp, SynCookies cookies, StackShard? shard)
{
    /// <summary>A segment that belongs to no connection (RFC 9293, 3.10.7.1 and 3.10.7.2).</summary>
    /// <param name="start">Where the packet began in its buffer.</param>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    public void ListenerReceives(in TcpPair pair, ref TcpHeader header, PacketBuffer segment, int start, int shardsTried, Instant now)
    {
        var listener = tcp.Ports.Find(pair.Local);
        if (listener is null || header.Has(TcpFlags.Rst | TcpFlags.Ack))
        {
            if (listener is not null && !header.Has(TcpFlags.Rst | TcpFlags.Syn) && CookieReturns(listener, pair, ref header, segment, now))
                return;
            if (shard is not null && TryPassOn(pair, segment, start, shardsTried))
                return;
            tcp.Control.Reset(pair, header, segment.Length, now);
            segment.Release();
            return;
        }

        Open(listener, pair, header, segment, null, now);
    }

    /// <summary>A segment for a connection in SYN-RECEIVED.</summary>
    public void EmbryoReceives(TcpEmbryo embryo, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (tcp.SynCache.Accepts(embryo, header, segment, now) && HasPlace(embryo.Listener))
        {
            Establish(embryo, ref header, segment, now);
            return;
        }

        segment.Release();
    }

    /// <summary>Answers a SYN. Its payload, unless a Fast Open cookie vouches for it, is not kept: the peer sends it again once the handshake is done
    /// (RFC 9293, 3.10.7.2 allows both).</summary>
    /// <param name="sequence">The initial sequence number if it matters, after TIME-WAIT. It needs room in SYN-RECEIVED then, full or not, as in Linux: no
    /// cookie can have it, and there are no more of these than there were records in TIME-WAIT.</param>
    public void Open(TcpListener listener, in TcpPair pair, in TcpHeader syn, PacketBuffer segment, uint? sequence, Instant now)
    {
        var full = sequence is null && tcp.SynCache.IsFull(listener);
        if (listener.IsFull)
        {
            tcp.Counters.TcpExtListenOverflows++;
            tcp.Counters.TcpExtListenDrops++;
        }
        else if (tcp.RefusesMore())
        {
            tcp.Counters.TcpExtListenDrops++;
        }
        else if (full && !tcp.Options.SynCookies)
        {
            tcp.Counters.TcpExtTCPReqQFullDrop++;
            tcp.Counters.TcpExtListenDrops++;
        }
        else if (tcp.Ip.Route(pair.Remote.Address, pair.Local.Address, out var route) != StackError.None)
        {
            tcp.Counters.TcpExtListenDrops++;
        }
        else if (full)
        {
            AnswerWithCookie(listener, pair, syn, route.Mtu, now);
        }
        else
        {
            var iss = sequence ?? tcp.Secrets.InitialSequence(pair, now);
            if (OpensFast(listener, pair, syn, now, out var givesCookie))
            {
                OpenFast(listener, pair, syn, segment, iss, route, now);
                return;
            }

            tcp.SynCache.Add(listener, pair, syn, iss, route, givesCookie, now);
        }

        segment.Release();
    }

    /// <summary>A connection of a port that all shards listen on may be another one's, if the device has changed the queue on which it comes.</summary>
    /// <param name="start">Where the packet began in its buffer.</param>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    /// <returns>False, and the segment is still the caller's: no shard is left to ask.</returns>
    private bool TryPassOn(in TcpPair pair, PacketBuffer segment, int start, int shardsTried)
    {
        if (shardsTried >= shard!.Steering.Shards - 1 || !shard.Steering.IsSpreadTcp(pair.Local.Port))
            return false;
        segment.Prepend(segment.Headroom - start);
        segment.Offload.Checksum = ChecksumState.Verified;
        tcp.Ip.PassOn(segment, shardsTried);
        return true;
    }

    /// <summary>With the queue full, the acknowledgement is not heard: the connection stays in SYN-RECEIVED, or nowhere, and the peer's data, or our next
    /// SYN-ACK, brings another one (as Linux does).</summary>
    private bool HasPlace(TcpListener listener)
    {
        if (listener.IsFull)
        {
            tcp.Counters.TcpExtListenOverflows++;
            return false;
        }

        if (tcp.Count < tcp.Options.MaxSockets)
            return true;
        tcp.Counters.TcpSocketsRefused++;
        return false;
    }

    private void Establish(TcpEmbryo embryo, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        var connection = new TcpConnection(embryo.Pair, embryo.Hash);
        tcp.SynCache.Replace(embryo, connection);
        Establish(embryo, connection, ref header, segment, now);
    }

    /// <param name="connection">It is in the table.</param>
    private void Establish(TcpEmbryo embryo, TcpConnection connection, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        var listener = embryo.Listener;
        var socket = tcp.Adopt(connection, listener.Options);
        tcp.Counters.TcpPassiveOpens++;
        socket.BeginPassive(embryo, header, now);
        listener.Enqueue(socket);
        socket.SegmentArrives(ref header, segment, now);
    }

    /// <summary>Answers a SYN and forgets it. Scaling and SACK are agreed upon only if timestamps can carry them back.</summary>
    private void AnswerWithCookie(TcpListener listener, in TcpPair pair, in TcpHeader syn, int mtu, Instant now)
    {
        listener.OverflowedAt = now;
        tcp.Counters.TcpExtTCPReqQFullDoCookies++;
        tcp.Counters.TcpExtSyncookiesSent++;
        var offer = SynOptions.Of(syn, tcp.Options);
        var carried = offer.Timestamps ? offer : offer with { WindowScaling = false, SelectiveAck = false, Ecn = false };
        var mss = offer.PeerMss == 0 ? SynOptions.DefaultMss(pair.Remote.Address) : offer.PeerMss;
        var header = tcp.SynCache.SynAck(listener, pair, cookies.Make(pair, syn.Sequence, mss, now), syn.Sequence, carried, mtu, now);
        if (carried.Timestamps)
            header.TimestampValue = SynCookies.Timestamp(TcpLayer.TimestampClock(now), carried) + tcp.Secrets.TimestampOffset(pair);
        tcp.Control.Send(pair, ref header, listener.Options.Value, now);
    }

    /// <summary>An acknowledgement for which there is no connection: if it brings back a cookie, one is made. Cookies are looked for only where some were
    /// handed out lately, so that nobody may guess at them in peace.</summary>
    /// <returns>False: it brings none. True: it does, and the segment is taken. With the listener's queue full it is not answered, as in Linux; nor is data
    /// that comes before the acknowledgement or the first data: that was lost, and will be sent again (Linux resets the connection).</returns>
    private bool CookieReturns(TcpListener listener, in TcpPair pair, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (!tcp.Options.SynCookies || now - listener.OverflowedAt > SynCookies.Lifetime)
            return false;
        var iss = header.Acknowledgment - 1;
        var irs = header.Sequence - 1;
        switch (cookies.Read(iss, pair, irs, now, out var mss))
        {
            case SynCookieMatch.None:
                tcp.Counters.TcpExtSyncookiesFailed++;
                return false;
            case SynCookieMatch.OtherSequence:
                tcp.Counters.TcpInAheadOfCookie++;
                segment.Release();
                return true;
        }

        tcp.Counters.TcpExtSyncookiesRecv++;
        if (!HasPlace(listener) || tcp.Ip.Route(pair.Remote.Address, pair.Local.Address, out var route) != StackError.None)
        {
            segment.Release();
            return true;
        }

        var agreed = new SynOptions { PeerMss = mss };
        if (tcp.Options.Timestamps && header.HasTimestamp
            && SynCookies.TryReadOptions(header.TimestampEcho - tcp.Secrets.TimestampOffset(pair), TcpLayer.TimestampClock(now), ref agreed))
        {
            agreed.Timestamps = true;
            agreed.TsRecent = header.TimestampValue;
        }

        var embryo = new TcpEmbryo(listener, pair, tcp.Table.HashOf(pair))
        {
            Iss = iss, Irs = irs, Since = now, Mtu = route.Mtu, SuperFrame = route.SuperFrame, Interface = route.Interface, Agreed = agreed,
            AnsweredOften = true,
        };
        var connection = new TcpConnection(pair, embryo.Hash);
        tcp.Table.Add(connection);
        Establish(embryo, connection, ref header, segment, now);
        return true;
    }

    /// <param name="givesCookie">The ordinary handshake, if it comes to that, hands out a cookie.</param>
    /// <returns>True: the connection opens with the SYN.</returns>
    private bool OpensFast(TcpListener listener, in TcpPair pair, in TcpHeader syn, Instant now, out bool givesCookie)
    {
        givesCookie = false;
        if (!syn.HasFastOpen || !tcp.Options.FastOpen || listener.Options.Value.FastOpenQueue <= 0)
            return false;
        if (syn.FastOpenCookie.IsRequest)
            tcp.Counters.TcpExtTCPFastOpenCookieReqd++;
        if (!listener.HasFastOpenPlace(now))
        {
            tcp.Counters.TcpExtTCPFastOpenListenOverflow++;
            return false;
        }

        if (syn.FastOpenCookie == tcp.Secrets.FastOpenCookieFor(pair) && tcp.Count < tcp.Options.MaxSockets)
            return true;
        givesCookie = true;
        if (!syn.FastOpenCookie.IsRequest)
            tcp.Counters.TcpExtTCPFastOpenPassiveFail++;
        return false;
    }

    private void OpenFast(TcpListener listener, in TcpPair pair, in TcpHeader syn, PacketBuffer segment, uint iss, in IpRoute route, Instant now)
    {
        var connection = new TcpConnection(pair, tcp.Table.HashOf(pair));
        tcp.Table.Add(connection);
        var socket = tcp.Adopt(connection, listener.Options);
        tcp.Counters.TcpPassiveOpens++;
        tcp.Counters.TcpExtTCPFastOpenPassive++;
        socket.BeginFastOpen(listener, syn, segment, iss, route, now);
        listener.Enqueue(socket);
    }
}
