using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>The passive open: from the SYN to a connection in the listener's queue (RFC 9293, 3.10.7.2 and 3.10.7.4 for SYN-RECEIVED).</content>
public sealed partial class TcpLayer
{
    private void ListenerReceives(in TcpPair pair, in TcpHeader header, PacketBuffer segment, Instant now)
    {
        var payloadLength = segment.Length;
        segment.Release();
        var listener = FindListener(pair.Local);
        if (listener is null || header.Has(TcpFlags.Rst | TcpFlags.Ack))
        {
            Reset(pair, header, payloadLength, now);
            return;
        }

        Open(listener, pair, header, null, now);
    }

    /// <summary>Remembers a SYN and answers it. Its payload, if any, is not kept: the peer sends it again once the handshake is done (RFC 9293, 3.10.7.2
    /// allows both).</summary>
    private void Open(TcpListener listener, in TcpPair pair, in TcpHeader syn, uint? sequence, Instant now)
    {
        if (listener.IsFull)
        {
            Counters.TcpExtListenOverflows++;
            Counters.TcpExtListenDrops++;
            return;
        }

        if (EmbryonicCount >= Options.MaxEmbryonic || listener.EmbryonicCount >= Math.Max(listener.Backlog, Options.MaxEmbryonicPerListener))
        {
            Counters.TcpExtTCPReqQFullDrop++;
            Counters.TcpExtListenDrops++;
            return;
        }

        if (Ip.Route(pair.Remote.Address, pair.Local.Address, out var route) != StackError.None)
        {
            Counters.TcpExtListenDrops++;
            return;
        }

        var embryo = new TcpEmbryo(listener, pair, _table.HashOf(pair))
        {
            Iss = sequence ?? InitialSequence(pair, now),
            Irs = syn.Sequence,
            Since = now,
            LastAnswer = now,
            Mtu = route.Mtu,
            SuperFrame = route.SuperFrame,
            PeerMss = syn.Mss,
            PeerWindowScale = syn.WindowScale,
            WindowScaling = Options.WindowScaling && syn.HasWindowScale,
            SelectiveAck = Options.SelectiveAck && syn.SackPermitted,
            Timestamps = Options.Timestamps && syn.HasTimestamp,
            TsRecent = syn.TimestampValue,
        };
        AddEntry(embryo);
        EmbryonicCount++;
        listener.EmbryonicCount++;
        Answer(embryo, now);
        Timers.Arm(embryo, now + Options.InitialRto);
    }

    internal void EmbryoTimedOut(TcpEmbryo embryo, Instant now)
    {
        if (embryo.Listener.IsClosed || embryo.Retries >= Options.SynAckRetries)
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

    private void EmbryoReceives(TcpEmbryo embryo, ref TcpHeader header, PacketBuffer segment, Instant now)
    {
        if (embryo.Listener.IsClosed)
        {
            Reset(embryo.Pair, header, segment.Length, now);
            Remove(embryo);
        }
        else if (EmbryoAccepts(embryo, header, segment, now))
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
        if (header.Has(TcpFlags.Syn) && !header.Has(TcpFlags.Ack | TcpFlags.Rst) && header.Sequence == embryo.Irs)
        {
            // The SYN again: so is the answer, at a bounded rate.
            if (now - embryo.LastAnswer >= Options.InvalidRateLimit)
                Answer(embryo, now);
            return false;
        }

        var window = (uint)ushort.MaxValue;
        var end = header.Sequence + (uint)segment.Length;
        if (Seq.Lt(end, expected) || Seq.Gt(header.Sequence, expected + window))
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

        return PawsAccepts(embryo, header, now) && HasPlace(embryo);
    }

    private bool PawsAccepts(TcpEmbryo embryo, in TcpHeader header, Instant now)
    {
        if (!embryo.Timestamps || !header.HasTimestamp || !Seq.Lt(header.TimestampValue, embryo.TsRecent))
            return true;
        Counters.TcpExtPAWSEstab++;
        Challenge(embryo, now);
        return false;
    }

    /// <summary>With the queue full, the acknowledgement is not heard: the connection stays in SYN-RECEIVED, and the peer's data, or our next SYN-ACK,
    /// brings another one (as Linux does).</summary>
    private bool HasPlace(TcpEmbryo embryo)
    {
        if (embryo.Listener.IsFull)
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
        var listener = embryo.Listener;
        var connection = new TcpConnection(embryo.Pair, embryo.Hash);
        var socket = new TcpSocket(this, connection, listener.Options);
        Timers.Cancel(embryo);
        _table.Replace(embryo, connection);
        EmbryonicCount--;
        listener.EmbryonicCount--;
        Count++;
        Counters.TcpPassiveOpens++;
        socket.BeginPassive(embryo, header, listener, now);
        listener.Enqueue(socket);
        socket.SegmentArrives(ref header, segment, now);
    }

    private void Answer(TcpEmbryo embryo, Instant now)
    {
        var header = HeaderOf(embryo, TcpFlags.Syn | TcpFlags.Ack, now);
        header.Sequence = embryo.Iss;
        header.Mss = TcpSocket.AnnouncedMss(embryo.Mtu, embryo.RemoteAddress, embryo.Listener.Options.Value.MaxSegment);
        header.SackPermitted = embryo.SelectiveAck;
        header.HasWindowScale = embryo.WindowScaling;
        header.WindowScale = TcpSocket.WindowScaleFor(ReceiveBufferOf(embryo));
        embryo.LastAnswer = now;
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
        var header = HeaderOf(embryo, TcpFlags.Ack, now);
        header.Sequence = embryo.Iss + 1;
        if (embryo.WindowScaling)
            header.Window >>= TcpSocket.WindowScaleFor(ReceiveBufferOf(embryo));
        SendControl(embryo.Pair, ref header, embryo.Listener.Options.Value, now);
    }

    private TcpHeader HeaderOf(TcpEmbryo embryo, TcpFlags flags, Instant now) => new()
    {
        Flags = flags,
        Acknowledgment = embryo.Irs + 1,
        Window = (ushort)Math.Min(ReceiveBufferOf(embryo), ushort.MaxValue),
        HasTimestamp = embryo.Timestamps,
        TimestampValue = embryo.Timestamps ? TimestampClock(now) + TimestampOffset(embryo.Pair) : 0,
        TimestampEcho = embryo.TsRecent,
    };

    private int ReceiveBufferOf(TcpEmbryo embryo)
    {
        var wanted = embryo.Listener.Options.Value.ReceiveBuffer;
        return wanted > 0 ? wanted : Options.ReceiveBuffer;
    }

    private void Remove(TcpEmbryo embryo)
    {
        Timers.Cancel(embryo);
        RemoveEntry(embryo);
        EmbryonicCount--;
        embryo.Listener.EmbryonicCount--;
    }
}
