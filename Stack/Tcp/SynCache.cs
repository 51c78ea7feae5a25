using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// Passive opens in SYN-RECEIVED, in as few bytes as possible. The cache answers SYNs, repeats SYN-ACKs, and checks segments for these connections (RFC 9293,
/// 3.10.7.4). <see cref="PassiveOpen"/> decides which SYNs enter, and makes connections of finished handshakes.
/// </summary>
internal sealed class SynCache(TcpLayer tcp)
{
    /// <summary>Number of connections in SYN-RECEIVED, of all listeners.</summary>
    public int Count { get; private set; }

    /// <summary>The listener has no room for another one.</summary>
    public bool IsFull(TcpListener listener) =>
        Count >= tcp.Options.MaxEmbryonic || listener.EmbryonicCount >= Math.Max(listener.Backlog, tcp.Options.MaxEmbryonicPerListener);

    public void Add(TcpListener listener, in TcpPair pair, in TcpHeader syn, uint iss, in IpRoute route, bool givesCookie, Instant now)
    {
        var embryo = new TcpEmbryo(listener, pair, tcp.Table.HashOf(pair))
        {
            Iss = iss,
            Irs = syn.Sequence,
            Since = now,
            Mtu = route.Mtu,
            SuperFrame = route.SuperFrame,
            Interface = route.Interface,
            Agreed = SynOptions.Of(syn, tcp.Options),
            GivesFastOpenCookie = givesCookie,
        };
        tcp.Table.Add(embryo);
        Count++;
        listener.EmbryonicCount++;
        Answer(embryo, now);
        tcp.Timers.Arm(embryo, now + tcp.Options.InitialRto);
    }

    public void TimedOut(TcpEmbryo embryo, Instant now)
    {
        if (embryo.Retries >= tcp.Options.SynAckRetries && (!embryo.WaitsForData || embryo.Retries >= embryo.Listener.Options.Value.DeferAccept))
        {
            tcp.Counters.TcpExtTCPTimeoutSynAck++;
            tcp.Counters.TcpAttemptFails++;
            Remove(embryo);
            return;
        }

        embryo.Retries++;
        // A peer that has acknowledged is only asked again when its time is nearly over (syn_ack_recalc): its next acknowledgement makes the connection.
        if (!embryo.WaitsForData || embryo.Retries >= embryo.Listener.Options.Value.DeferAccept)
        {
            tcp.Counters.TcpRetransSegs++;
            Answer(embryo, now);
        }

        tcp.Timers.Arm(embryo, now + default(RoundTripTime).Timeout(tcp.Options, tcp.Options.InitialRto, embryo.Retries));
    }

    /// <summary>
    /// Resets a listener's connections in SYN-RECEIVED (RFC 9293, 3.10.5). The peer may have its SYN-ACK and take the connection for established; if it only
    /// waits for data, nothing else would ever tell it. It accepts the reset then, and also in SYN-SENT.
    /// </summary>
    public void Reset(TcpListener listener, Instant now)
    {
        if (listener.EmbryonicCount == 0)
            return;
        foreach (var entry in tcp.Table.Snapshot())
        {
            if (entry is not TcpEmbryo embryo || embryo.Listener != listener)
                continue;
            var header = new TcpHeader { Flags = TcpFlags.Rst | TcpFlags.Ack, Sequence = embryo.Iss + 1, Acknowledgment = embryo.Irs + 1 };
            tcp.Control.Send(embryo.Pair, ref header, listener.Options.Value, now);
            tcp.Counters.TcpAttemptFails++;
            Remove(embryo);
        }
    }

    /// <returns>True for the acknowledgement of the SYN-ACK.</returns>
    public bool Accepts(TcpEmbryo embryo, in TcpHeader header, PacketBuffer segment, Instant now)
    {
        var expected = embryo.Irs + 1;
        if (!PawsAccepts(embryo, header, now))
            return false;
        if (header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Ack | TcpFlags.Rst) && header.Sequence == embryo.Irs)
        {
            // The SYN again, with whatever options: it is answered again, at a bounded rate.
            if (now - embryo.LastAnswer < tcp.Options.InvalidRateLimit)
                return false;
            embryo.AnsweredOften = true;
            // A SYN without the offer this time: its sender no longer reacts to marks (RFC 3168, 6.1.1).
            embryo.Agreed.Ecn &= header.Has(TcpFlags.Ece) && header.Has(TcpFlags.Cwr);
            tcp.Counters.TcpRetransSegs++;
            Answer(embryo, now);
            return false;
        }

        var end = header.Sequence + (uint)segment.Length;
        if (Seq.Lt(end, expected) || Seq.Gt(header.Sequence, expected + WindowOf(embryo.Listener)))
        {
            tcp.Counters.TcpInOutOfWindow++;
            if (!header.Has(TcpFlags.Rst))
                Challenge(embryo, now);
            return false;
        }

        if (header.Has(TcpFlags.Rst))
        {
            // RFC 5961, 3.2: a reset with the exact number ends the connection; any other gets a challenge ACK.
            if (header.Sequence != expected)
            {
                Challenge(embryo, now);
                return false;
            }

            tcp.Counters.TcpExtEmbryonicRsts++;
            tcp.Counters.TcpAttemptFails++;
            Remove(embryo);
            return false;
        }

        if (header.Has(TcpFlags.Syn))
        {
            tcp.Counters.TcpExtTCPSYNChallenge++;
            Challenge(embryo, now);
            return false;
        }

        if (!header.Has(TcpFlags.Ack))
            return false;
        if (header.Acknowledgment != embryo.Iss + 1)
        {
            tcp.Counters.TcpInBadAck++;
            tcp.Control.Reset(embryo.Pair, header, segment.Length, now);
            return false;
        }

        if (segment.Length > 0 || header.Has(TcpFlags.Fin) || embryo.Retries >= embryo.Listener.Options.Value.DeferAccept)
            return true;
        embryo.WaitsForData = true;
        tcp.Counters.TcpExtTCPDeferAcceptDrop++;
        return false;
    }

    /// <summary>The handshake is done: a connection takes the embryo's place.</summary>
    public void Replace(TcpEmbryo embryo, TcpConnection connection)
    {
        tcp.Timers.Cancel(embryo);
        tcp.Table.Replace(embryo, connection);
        Forget(embryo);
    }

    public void Remove(TcpEmbryo embryo)
    {
        tcp.Timers.Cancel(embryo);
        tcp.Table.Remove(embryo);
        Forget(embryo);
    }

    public TcpHeader SynAck(TcpListener listener, in TcpPair pair, uint iss, uint irs, in SynOptions agreed, int mtu, Instant now)
    {
        var header = HeaderOf(listener, pair, TcpFlags.Syn | TcpFlags.Ack | (agreed.Ecn ? TcpFlags.Ece : 0), irs, agreed, now);
        header.Sequence = iss;
        header.Mss = SynOptions.AnnouncedMss(mtu, pair.Remote.Address, listener.Options.Value.MaxSegment);
        header.SackPermitted = agreed.SelectiveAck;
        header.HasWindowScale = agreed.WindowScaling;
        header.WindowScale = WindowScaleOf(listener);
        return header;
    }

    /// <summary>RFC 7323, 5.3, R1: precedes all other checks, except for a reset.</summary>
    private bool PawsAccepts(TcpEmbryo embryo, in TcpHeader header, Instant now)
    {
        if (!embryo.Agreed.Timestamps || !header.HasTimestamp || header.Has(TcpFlags.Rst) || !Seq.Lt(header.TimestampValue, embryo.Agreed.TsRecent))
            return true;
        tcp.Counters.TcpExtPAWSEstab++;
        Challenge(embryo, now);
        return false;
    }

    private void Answer(TcpEmbryo embryo, Instant now)
    {
        embryo.LastAnswer = now;
        var header = SynAck(embryo.Listener, embryo.Pair, embryo.Iss, embryo.Irs, embryo.Agreed, embryo.Mtu, now);
        if (embryo.GivesFastOpenCookie)
        {
            header.HasFastOpen = true;
            header.FastOpenCookie = tcp.Secrets.FastOpenCookieFor(embryo.Pair);
        }

        tcp.Control.Send(embryo.Pair, ref header, embryo.Listener.Options.Value, now);
    }

    private void Challenge(TcpEmbryo embryo, Instant now)
    {
        if (now - embryo.LastAnswer < tcp.Options.InvalidRateLimit || !tcp.Control.TryTakeChallenge(now))
        {
            tcp.Counters.TcpExtTCPACKSkipped++;
            return;
        }

        embryo.LastAnswer = now;
        tcp.Counters.TcpExtTCPChallengeACK++;
        var listener = embryo.Listener;
        var header = HeaderOf(listener, embryo.Pair, TcpFlags.Ack, embryo.Irs, embryo.Agreed, now);
        header.Sequence = embryo.Iss + 1;
        if (embryo.Agreed.WindowScaling)
            header.Window >>= WindowScaleOf(listener);
        tcp.Control.Send(embryo.Pair, ref header, listener.Options.Value, now);
    }

    private void Forget(TcpEmbryo embryo)
    {
        Count--;
        embryo.Listener.EmbryonicCount--;
    }

    private TcpHeader HeaderOf(TcpListener listener, in TcpPair pair, TcpFlags flags, uint irs, in SynOptions agreed, Instant now) => new()
    {
        Flags = flags,
        Acknowledgment = irs + 1,
        Window = WindowOf(listener),
        HasTimestamp = agreed.Timestamps,
        TimestampValue = agreed.Timestamps ? TcpLayer.TimestampClock(now) + tcp.Secrets.TimestampOffset(pair) : 0,
        TimestampEcho = agreed.TsRecent,
    };

    private int ReceiveBufferOf(TcpListener listener)
    {
        var wanted = listener.Options.Value.ReceiveBuffer;
        return wanted > 0 ? wanted : tcp.Options.ReceiveBuffer;
    }

    /// <summary>The window scale for the largest size of the receive buffer.</summary>
    private byte WindowScaleOf(TcpListener listener)
    {
        var named = listener.Options.Value.ReceiveBuffer;
        return SynOptions.WindowScaleFor(named > 0 ? named : Math.Max(tcp.Options.ReceiveBuffer, tcp.Options.MaxReceiveBuffer));
    }

    /// <summary>The window of a SYN-ACK, which is never scaled.</summary>
    private ushort WindowOf(TcpListener listener) => (ushort)Math.Min(Math.Min(ReceiveBufferOf(listener), listener.Options.Value.WindowClamp is > 0 and var clamp ? clamp : int.MaxValue), ushort.MaxValue);
}
