using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Answers to unacceptable segments, which tell the sender what would be acceptable (RFC 9293, 3.10.7.4; RFC 5961, 7).</summary>
internal struct InvalidAnswers()
{
    private Instant _last = new(long.MinValue / 2);

    /// <summary>Sends a challenge ACK, at a bounded rate.</summary>
    public void Challenge(TcpConnection connection, Instant now)
    {
        if (!MayAnswer(connection.Layer, now) || !connection.Layer.Control.TryTakeChallenge(now))
        {
            connection.Layer.Counters.TcpExtTCPACKSkipped++;
            return;
        }

        _last = now;
        connection.Layer.Counters.TcpExtTCPChallengeACK++;
        Answer(connection);
    }

    /// <summary>Answers an old segment, or one outside the window. A segment without data may be an answer itself. It is answered at a bounded rate, so that
    /// two ends that disagree cause no storm (tcp_invalid_ratelimit).</summary>
    public void Unacceptable(TcpConnection connection, in TcpHeader segment, int length, Instant now)
    {
        var receiver = connection.Receiver;
        if (length == 0 && !segment.Has(TcpFlags.Fin))
        {
            if (!MayAnswer(connection.Layer, now))
            {
                connection.Layer.Counters.TcpExtTCPACKSkipped++;
                return;
            }

            _last = now;
        }
        else if (Seq.Lt(segment.Sequence, receiver.RcvNxt))
        {
            receiver.ReportDuplicate(segment.Sequence, Seq.Min(segment.Sequence + (uint)length, receiver.RcvNxt), now);
        }

        Answer(connection);
    }

    private readonly bool MayAnswer(TcpLayer layer, Instant now) => now - _last >= layer.Options.InvalidRateLimit;

    private static void Answer(TcpConnection connection)
    {
        connection.Receiver.DemandAcknowledgment();
        connection.WantOutput();
    }
}
