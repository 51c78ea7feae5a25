using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// The passive open: from the SYN to a connection in the listener's queue (RFC 9293, 3.10.7.2). A SYN gets a place in the <see cref="SynCache"/>, an answer with a
/// cookie where that is full (RFC 4987, 3.6), or a connection at once if it brings a Fast Open cookie (RFC 7413).
/// </summary>
/// <param name="crossings">Null for a stack that has its addresses alone.</param>
internal sealed class PassiveOpen(TcpLayer tcp, SynCookies cookies, SegmentCrossings? crossings)
{
    /// <summary>Takes SYNs to ports without a listener; null: they are answered with RST.</summary>
    public StackForwarder? Forwarder { get; set; }

    /// <summary>A segment that belongs to no connection (RFC 9293, 3.10.7.1 and 3.10.7.2).</summary>
    /// <param name="start">Offset of the packet in its buffer.</param>
    /// <param name="shardsTried">See <see cref="IpReceiveInfo.ShardsTried"/>.</param>
    public void ListenerReceives(in TcpPair pair, ref TcpHeader header, PacketBuffer segment, int start, int shardsTried, Instant now)
    {
        if (!header.Has(TcpFlags.Rst | TcpFlags.Ack) && crossings?.TryOpen(pair, segment, start, shardsTried, now) == true)
            return;
        var listener = tcp.Ports.Find(pair);
        if (listener is null || header.Has(TcpFlags.Rst | TcpFlags.Ack))
        {
            if (listener is not null && !header.Has(TcpFlags.Rst | TcpFlags.Syn) && CookieReturns(listener, pair, ref header, segment, now))
                return;
            if (listener is null && Forwarder is { } forwarder && header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Rst | TcpFlags.Ack))
            {
                forwarder.TryHold(pair, header, segment.Length, null);
                segment.Release();
                return;
            }

            if (crossings?.TryPassOn(pair, segment, start, shardsTried) == true)
                return;
            tcp.Control.Reset(pair, header, segment.Length, now);
            segment.Release();
            return;
        }

        Open(listener, pair, header, segment, null, now);
    }

    /// <summary>Another shard listens for such a connection.</summary>
    public bool IsServedElsewhere(in TcpPair pair) => crossings?.OwnerOf(pair) is not null;

    /// <summary>Gives a SYN to the shard that listens for it; drops it if there is none any more.</summary>
    /// <param name="start">Offset of the packet in its buffer.</param>
    public void OpenElsewhere(in TcpPair pair, PacketBuffer segment, int start, Instant now)
    {
        if (crossings?.TryOpen(pair, segment, start, shardsTried: 1, now) != true)
            segment.Release();
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

    /// <summary>Answers a SYN. Its payload is dropped unless a Fast Open cookie vouches for it; the peer sends it again after the handshake (RFC 9293, 3.10.7.2
    /// allows both).</summary>
    /// <param name="sequence">The initial sequence number if it matters, after TIME-WAIT. The SYN then gets a place in SYN-RECEIVED even if that is full, as in
    /// Linux: no cookie can have a given number, and there are no more such SYNs than there were records in TIME-WAIT.</param>
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

    /// <summary>False if the listener's queue is full. The acknowledgement is then ignored, as in Linux: the connection stays in SYN-RECEIVED, or unknown,
    /// until the peer's data, or our repeated SYN-ACK, brings another acknowledgement.</summary>
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

    /// <param name="connection">A connection that is in the table.</param>
    private void Establish(TcpEmbryo embryo, TcpConnection connection, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        var listener = embryo.Listener;
        var socket = tcp.Adopt(connection, listener.Options);
        tcp.Counters.TcpPassiveOpens++;
        socket.BeginPassive(embryo, header, now);
        listener.Enqueue(socket);
        socket.SegmentArrives(ref header, segment, now);
    }

    /// <summary>Answers a SYN and forgets it. Window scaling and SACK are agreed on only if timestamps can carry them back.</summary>
    private void AnswerWithCookie(TcpListener listener, in TcpPair pair, in TcpHeader syn, int mtu, Instant now)
    {
        listener.Group!.OverflowedAt = now;
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

    /// <summary>Makes a connection of an acknowledgement that brings back a cookie. Cookies are accepted only by a listener that has sent some recently, so
    /// that they cannot be guessed at any time.</summary>
    /// <returns>True: the segment brings a cookie, and is taken. With the listener's queue full it is not answered, as in Linux. Nor is data behind the first
    /// data, when the acknowledgement and the first data were lost; they will be sent again (Linux resets the connection).</returns>
    private bool CookieReturns(TcpListener listener, in TcpPair pair, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (!tcp.Options.SynCookies || now - listener.Group!.OverflowedAt > SynCookies.Lifetime)
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

    /// <param name="givesCookie">The SYN-ACK of an ordinary handshake is to carry a cookie.</param>
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
