using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The passive open: from the SYN to a connection in the listener's queue (RFC 9293, 3.10.7.2 and 3.10.7.4 for SYN-RECEIVED).</content>
public sealed partial class TcpLayer
{
    private void ListenerReceives(in TcpPair pair, ref TcpHeader header, PacketBuffer segment, int start, int hops, Instant now)
    {
        var listener = FindListener(pair.Local);
        if (listener is null || header.Has(TcpFlags.Rst | TcpFlags.Ack))
        {
            if (listener is not null && !header.Has(TcpFlags.Rst | TcpFlags.Syn) && CookieReturns(listener, pair, ref header, segment, now))
                return;
            if (_shard is not null && TryPassOn(pair, segment, start, hops))
                return;
            Reset(pair, header, segment.Length, now);
            segment.Release();
            return;
        }

        Open(listener, pair, header, segment, null, now);
    }

    /// <summary>A connection of a port that all shards listen on may be another one's, if the device has changed the queue on which it comes.</summary>
    /// <param name="start">Where the packet began in its buffer.</param>
    /// <param name="hops">See <see cref="IpReceiveInfo.Hops"/>.</param>
    /// <returns>False, and the segment is still the caller's: no shard is left to ask.</returns>
    private bool TryPassOn(in TcpPair pair, PacketBuffer segment, int start, int hops)
    {
        if (hops >= _shard!.Steering.Shards - 1 || !_shard.Steering.IsSpreadTcp(pair.Local.Port))
            return false;
        segment.Prepend(segment.Headroom - start);
        segment.Offload.Checksum = ChecksumState.Verified;
        Ip.PassOn(segment, hops);
        return true;
    }

    /// <summary>Answers a SYN. Its payload, unless a Fast Open cookie vouches for it, is not kept: the peer sends it again once the handshake is done
    /// (RFC 9293, 3.10.7.2 allows both).</summary>
    /// <param name="sequence">The initial sequence number if it matters, after TIME-WAIT. It needs room in SYN-RECEIVED then, full or not, as in Linux: no
    /// cookie can have it, and there are no more of these than there were records in TIME-WAIT.</param>
    private void Open(TcpListener listener, in TcpPair pair, in TcpHeader syn, PacketBuffer segment, uint? sequence, Instant now)
    {
        var full = sequence is null && IsSynCacheFull(listener);
        if (listener.IsFull)
        {
            Counters.TcpExtListenOverflows++;
            Counters.TcpExtListenDrops++;
        }
        else if (RefusesMore())
        {
            Counters.TcpExtListenDrops++;
        }
        else if (full && !Options.SynCookies)
        {
            Counters.TcpExtTCPReqQFullDrop++;
            Counters.TcpExtListenDrops++;
        }
        else if (Ip.Route(pair.Remote.Address, pair.Local.Address, out var route) != StackError.None)
        {
            Counters.TcpExtListenDrops++;
        }
        else if (full)
        {
            AnswerWithCookie(listener, pair, syn, route.Mtu, now);
        }
        else
        {
            var iss = sequence ?? InitialSequence(pair, now);
            if (OpensFast(listener, pair, syn, now, out var givesCookie))
            {
                OpenFast(listener, pair, syn, segment, iss, route, now);
                return;
            }

            Remember(listener, pair, syn, iss, route, givesCookie, now);
        }

        segment.Release();
    }

    private void Remember(TcpListener listener, in TcpPair pair, in TcpHeader syn, uint iss, in IpRoute route, bool givesCookie, Instant now)
    {
        var embryo = new TcpEmbryo(listener, pair, _table.HashOf(pair))
        {
            Iss = iss,
            Irs = syn.Sequence,
            Since = now,
            Mtu = route.Mtu,
            SuperFrame = route.SuperFrame,
            Agreed = SynOptions.Of(syn, Options),
            GivesFastOpenCookie = givesCookie,
        };
        AddEntry(embryo);
        EmbryonicCount++;
        listener.EmbryonicCount++;
        Answer(embryo, now);
        Timers.Arm(embryo, now + Options.InitialRto);
    }

    internal void EmbryoTimedOut(TcpEmbryo embryo, Instant now)
    {
        if (embryo.Retries >= Options.SynAckRetries)
        {
            Counters.TcpExtTCPTimeoutSynAck++;
            Counters.TcpAttemptFails++;
            Remove(embryo);
            return;
        }

        embryo.Retries++;
        Counters.TcpRetransSegs++;
        Answer(embryo, now);
        Timers.Arm(embryo, now + default(RoundTripTime).Timeout(Options, Options.InitialRto, embryo.Retries));
    }

    /// <summary>
    /// Resets what a listener leaves in SYN-RECEIVED (RFC 9293, 3.10.5). The peer may have its SYN-ACK and take the connection for established; if it only
    /// waits for data, nothing else would ever tell it. The reset is acceptable to it then, and also in SYN-SENT.
    /// </summary>
    internal void ResetEmbryos(TcpListener listener, Instant now)
    {
        if (listener.EmbryonicCount == 0)
            return;
        foreach (var entry in _table.Snapshot())
        {
            if (entry is not TcpEmbryo embryo || embryo.Listener != listener)
                continue;
            var header = new TcpHeader { Flags = TcpFlags.Rst | TcpFlags.Ack, Sequence = embryo.Iss + 1, Acknowledgment = embryo.Irs + 1 };
            SendControl(embryo.Pair, ref header, listener.Options.Value, now);
            Counters.TcpAttemptFails++;
            Remove(embryo);
        }
    }

    private void EmbryoReceives(TcpEmbryo embryo, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (EmbryoAccepts(embryo, header, segment, now))
        {
            Establish(embryo, ref header, segment, now);
            return;
        }

        segment.Release();
    }

    /// <returns>True for the acknowledgement of the SYN-ACK.</returns>
    private bool EmbryoAccepts(TcpEmbryo embryo, in TcpHeader header, PacketBuffer segment, Instant now)
    {
        var expected = embryo.Irs + 1;
        if (!PawsAccepts(embryo, header, now))
            return false;
        if (header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Ack | TcpFlags.Rst) && header.Sequence == embryo.Irs)
        {
            // The SYN again, whatever options it has now: so is the answer, at a bounded rate.
            if (now - embryo.LastAnswer < Options.InvalidRateLimit)
                return false;
            embryo.AnsweredOften = true;
            // Without the offer this time: its sender no longer heeds marks (RFC 3168, 6.1.1).
            embryo.Agreed.Ecn &= header.Has(TcpFlags.Ece) && header.Has(TcpFlags.Cwr);
            Counters.TcpRetransSegs++;
            Answer(embryo, now);
            return false;
        }

        var end = header.Sequence + (uint)segment.Length;
        if (Seq.Lt(end, expected) || Seq.Gt(header.Sequence, expected + WindowOf(embryo.Listener)))
        {
            Counters.TcpInOutOfWindow++;
            if (!header.Has(TcpFlags.Rst))
                Challenge(embryo, now);
            return false;
        }

        if (header.Has(TcpFlags.Rst))
        {
            // RFC 5961, 3.2: exact, or it is only a question.
            if (header.Sequence != expected)
            {
                Challenge(embryo, now);
                return false;
            }

            Counters.TcpExtEmbryonicRsts++;
            Counters.TcpAttemptFails++;
            Remove(embryo);
            return false;
        }

        if (header.Has(TcpFlags.Syn))
        {
            Counters.TcpExtTCPSYNChallenge++;
            Challenge(embryo, now);
            return false;
        }

        if (!header.Has(TcpFlags.Ack))
            return false;
        if (header.Acknowledgment != embryo.Iss + 1)
        {
            Counters.TcpInBadAck++;
            Reset(embryo.Pair, header, segment.Length, now);
            return false;
        }

        return HasPlace(embryo.Listener);
    }

    /// <summary>RFC 7323, 5.3, R1: before all other checks, but not for a reset.</summary>
    private bool PawsAccepts(TcpEmbryo embryo, in TcpHeader header, Instant now)
    {
        if (!embryo.Agreed.Timestamps || !header.HasTimestamp || header.Has(TcpFlags.Rst) || !Seq.Lt(header.TimestampValue, embryo.Agreed.TsRecent))
            return true;
        Counters.TcpExtPAWSEstab++;
        Challenge(embryo, now);
        return false;
    }

    /// <summary>With the queue full, the acknowledgement is not heard: the connection stays in SYN-RECEIVED, or nowhere, and the peer's data, or our next
    /// SYN-ACK, brings another one (as Linux does).</summary>
    private bool HasPlace(TcpListener listener)
    {
        if (listener.IsFull)
        {
            Counters.TcpExtListenOverflows++;
            return false;
        }

        if (Count < Options.MaxSockets)
            return true;
        Counters.TcpSocketsRefused++;
        return false;
    }

    private void Establish(TcpEmbryo embryo, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        var connection = new TcpConnection(embryo.Pair, embryo.Hash);
        Timers.Cancel(embryo);
        _table.Replace(embryo, connection);
        EmbryonicCount--;
        embryo.Listener.EmbryonicCount--;
        Establish(embryo, connection, ref header, segment, now);
    }

    /// <param name="connection">It is in the table.</param>
    private void Establish(TcpEmbryo embryo, TcpConnection connection, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        var listener = embryo.Listener;
        var socket = new TcpSocket(this, connection, listener.Options);
        Count++;
        Counters.TcpPassiveOpens++;
        socket.BeginPassive(embryo, header, now);
        listener.Enqueue(socket);
        socket.SegmentArrives(ref header, segment, now);
    }

    private void Answer(TcpEmbryo embryo, Instant now)
    {
        embryo.LastAnswer = now;
        var header = SynAck(embryo.Listener, embryo.Pair, embryo.Iss, embryo.Irs, embryo.Agreed, embryo.Mtu, now);
        if (embryo.GivesFastOpenCookie)
        {
            header.HasFastOpen = true;
            header.FastOpenCookie = FastOpenCookieFor(embryo.Pair);
        }

        SendControl(embryo.Pair, ref header, embryo.Listener.Options.Value, now);
    }

    private void Challenge(TcpEmbryo embryo, Instant now)
    {
        if (now - embryo.LastAnswer < Options.InvalidRateLimit || !TryTakeChallenge(now))
        {
            Counters.TcpExtTCPACKSkipped++;
            return;
        }

        embryo.LastAnswer = now;
        Counters.TcpExtTCPChallengeACK++;
        var listener = embryo.Listener;
        var header = HeaderOf(listener, embryo.Pair, TcpFlags.Ack, embryo.Irs, embryo.Agreed, now);
        header.Sequence = embryo.Iss + 1;
        if (embryo.Agreed.WindowScaling)
            header.Window >>= WindowScaleOf(listener);
        SendControl(embryo.Pair, ref header, listener.Options.Value, now);
    }

    private TcpHeader SynAck(TcpListener listener, in TcpPair pair, uint iss, uint irs, in SynOptions agreed, int mtu, Instant now)
    {
        var header = HeaderOf(listener, pair, TcpFlags.Syn | TcpFlags.Ack | (agreed.Ecn ? TcpFlags.Ece : 0), irs, agreed, now);
        header.Sequence = iss;
        header.Mss = TcpSocket.AnnouncedMss(mtu, pair.Remote.Address, listener.Options.Value.MaxSegment);
        header.SackPermitted = agreed.SelectiveAck;
        header.HasWindowScale = agreed.WindowScaling;
        header.WindowScale = WindowScaleOf(listener);
        return header;
    }

    private TcpHeader HeaderOf(TcpListener listener, in TcpPair pair, TcpFlags flags, uint irs, in SynOptions agreed, Instant now) => new()
    {
        Flags = flags,
        Acknowledgment = irs + 1,
        Window = WindowOf(listener),
        HasTimestamp = agreed.Timestamps,
        TimestampValue = agreed.Timestamps ? TimestampClock(now) + TimestampOffset(pair) : 0,
        TimestampEcho = agreed.TsRecent,
    };

    private int ReceiveBufferOf(TcpListener listener)
    {
        var wanted = listener.Options.Value.ReceiveBuffer;
        return wanted > 0 ? wanted : Options.ReceiveBuffer;
    }

    /// <summary>The window of a SYN-ACK, which is never scaled.</summary>
    /// <summary>For the largest buffer that a connection may come to have.</summary>
    private byte WindowScaleOf(TcpListener listener)
    {
        var named = listener.Options.Value.ReceiveBuffer;
        return TcpSocket.WindowScaleFor(named > 0 ? named : Math.Max(Options.ReceiveBuffer, Options.MaxReceiveBuffer));
    }

    private ushort WindowOf(TcpListener listener) => (ushort)Math.Min(ReceiveBufferOf(listener), ushort.MaxValue);

    private void Remove(TcpEmbryo embryo)
    {
        Timers.Cancel(embryo);
        RemoveEntry(embryo);
        EmbryonicCount--;
        embryo.Listener.EmbryonicCount--;
    }
}
