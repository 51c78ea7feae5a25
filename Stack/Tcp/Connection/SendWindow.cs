using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>The peer's window (RFC 9293, 3.3.1, 3.10.7.4).</summary>
internal struct SendWindow
{
    /// <summary>SND.WL1 and SND.WL2: sequence and acknowledgement number of the segment that set the window.</summary>
    private uint _sndWl1;
    private uint _sndWl2;

    /// <summary>SND.WND in bytes.</summary>
    public uint SndWnd { get; private set; }

    /// <summary>The largest SND.WND that the peer has announced.</summary>
    public uint Largest { get; private set; }

    /// <summary>Takes the window of the segment that ends the handshake. The window of a SYN is never scaled (RFC 7323, 2.2).</summary>
    /// <param name="shift">SND.WIND.SHIFT (RFC 7323, 2.3).</param>
    public void Open(in TcpHeader segment, byte shift)
    {
        _sndWl1 = segment.Sequence;
        _sndWl2 = segment.Acknowledgment;
        SndWnd = segment.Has(TcpFlags.Syn) ? segment.Window : (uint)segment.Window << shift;
        Largest = SndWnd;
    }

    /// <summary>Updates the window (RFC 9293, 3.10.7.4). As in Linux (tcp_may_update_window), an acknowledgement of new data brings its window whatever its
    /// sequence number. A retransmission has an old number, and the old window from the new SND.UNA on would reach beyond the announced edge.</summary>
    /// <returns>True if the window has changed.</returns>
    public bool Update(in TcpHeader segment, byte shift, uint sndUna)
    {
        var isOld = Seq.Gt(_sndWl1, segment.Sequence) || (_sndWl1 == segment.Sequence && Seq.Gt(_sndWl2, segment.Acknowledgment));
        if (isOld && Seq.Le(segment.Acknowledgment, sndUna))
            return false;
        _sndWl1 = segment.Sequence;
        _sndWl2 = segment.Acknowledgment;
        var window = (uint)segment.Window << shift;
        if (window == SndWnd)
            return false;
        SndWnd = window;
        Largest = Math.Max(Largest, window);
        return true;
    }
}
