using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The end of our urgent data (RFC 9293, 3.8.5; RFC 6093). The bytes stay in line; the urgent pointer names the byte after the last urgent one. Linux takes it
/// to name the last urgent byte unless tcp_stdurg is set. So one urgent byte sent by either side is marked one byte late or early at the other. The behaviour
/// here is RFC 6093's.
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

    /// <summary>Repeats the notice, because the peer has not seen the last one.</summary>
    public void RepeatNotice(uint sndUna) => _isNoticeDue = IsOutstanding(sndUna);

    /// <summary>Takes the notice that urgent data exists. The peer gets it even while its window keeps the data back, which is its purpose.</summary>
    /// <returns>True once for each mark that no segment has carried.</returns>
    public bool TakeNotice()
    {
        var isDue = _isNoticeDue;
        _isNoticeDue = false;
        return isDue;
    }

    /// <summary>Sets URG and the pointer on a segment that urgent data follows. A pointer that cannot reach the end means "everything visible is urgent", and
    /// later segments extend it.</summary>
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
