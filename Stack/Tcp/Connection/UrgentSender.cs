using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// Where our urgent data ends (RFC 9293, 3.8.5; RFC 6093). The bytes stay in line; the urgent pointer names the byte that follows the last urgent one. Linux takes it to name
/// the last urgent byte unless tcp_stdurg is set, so one urgent byte sent by either side is marked one byte late or early at the other: RFC 6093 decided for what is done
/// here.
/// </summary>
internal struct UrgentSender
{
    /// <summary>SND.UP: the sequence number after the last urgent byte written. Means nothing unless <see cref="_isSet"/>.</summary>
    private uint _sndUp;
    private bool _isSet;
    private bool _isNoticeDue;

    /// <summary>Urgent data was written, up to <paramref name="end"/>.</summary>
    public void Mark(uint end)
    {
        _isSet = true;
        _sndUp = end;
        _isNoticeDue = true;
    }

    /// <summary>Urgent data is written and not acknowledged.</summary>
    public readonly bool IsOutstanding(uint sndUna) => _isSet && Seq.Gt(_sndUp, sndUna);

    /// <summary>The peer is to be told once more, for it has not heard the last time.</summary>
    public void RepeatNotice(uint sndUna) => _isNoticeDue = IsOutstanding(sndUna);

    /// <summary>The peer is told of urgent data also while its window keeps the data back: that is what it is for.</summary>
    /// <returns>True once for each mark that no segment has carried.</returns>
    public bool TakeNotice()
    {
        var isDue = _isNoticeDue;
        _isNoticeDue = false;
        return isDue;
    }

    /// <summary>Sets URG and the pointer on a segment that urgent data follows. A pointer that does not reach says "all you can see", and the segments
    /// after it say more.</summary>
    public void Put(ref TcpHeader header, uint sndUna)
    {
        if (!_isSet)
            return;
        if (Seq.Le(_sndUp, sndUna))
        {
            _isSet = false;
            return;
        }

        if (Seq.Ge(header.Sequence, _sndUp))
            return;
        _isNoticeDue = false;
        header.Flags |= TcpFlags.Urg;
        header.UrgentPointer = (ushort)Math.Min(_sndUp - header.Sequence, ushort.MaxValue);
    }
}
