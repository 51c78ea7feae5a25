namespace Tapwire.Stack.Tcp;

/// <content>
/// The largest packet that the path takes: told by ICMP (RFC 1191, RFC 8201, with the checks of RFC 5927), or, where ICMP is swallowed, found by trying (RFC 4821;
/// RFC 8899): after repeated time-outs of large segments they become small, and single larger ones then find out what does pass.
/// </content>
public sealed partial class TcpSocket
{
    /// <summary>After so many time-outs in a row the path may be a black hole for large packets.</summary>
    private const int BlackHoleTimeouts = 4;

    /// <summary>What every path takes, or nearly (BASE_PLPMTU, RFC 8899, 5.1.2; tcp_base_mss is a little less).</summary>
    private const int BaseMtuV4 = 1064;
    private const int BaseMtuV6 = 1280;

    /// <summary>The search ends when no more than that could be won.</summary>
    private const int SearchPrecision = 32;

    /// <summary>Segments that must fit the congestion window beside a probe, so that its loss shows (RFC 4821, 7.5).</summary>
    private const int WindowForProbe = 8;

    /// <summary>Largest IP packet that is sent.</summary>
    private int _mtu;

    /// <summary>What the way out takes.</summary>
    private int _linkMtu;

    /// <summary>0 where the device does not cut.</summary>
    private int _superFrame;

    /// <summary>The search: what is known not to pass, one more than what may; 0 while there is none.</summary>
    private int _searchBelow;

    /// <summary>When it is time to try larger packets anew; the path may have changed (RFC 1191, 6.3).</summary>
    private Instant _searchAgainAt = Instant.Never;

    private int HeadersLength => IpHeaderLength(_entry.RemoteAddress) + Packets.TcpHeader.MinLength + (_timestamps ? Packets.TcpHeader.TimestampLength : 0);

    private void BeginPath(int linkMtu, int superFrame, Instant now)
    {
        _linkMtu = linkMtu;
        _superFrame = superFrame > linkMtu ? superFrame : 0;
        _mtu = _layer.PathMtu.Find(_entry.RemoteAddress, linkMtu, now);
        if (_mtu < _linkMtu)
            _searchAgainAt = now + PathMtuCache.Lifetime;
    }

    /// <summary>A router says that a packet was too big: smaller segments from now on, and what is in flight again (RFC 1191, 6).</summary>
    internal void PathMtuReduced(int mtu, Instant now)
    {
        if (mtu >= _mtu || !IsSynchronized)
            return;
        EndSearch(mtu, now);
        SetMtu(mtu);
        if (SndUna == SndNxt)
            return;
        SendAllAgain(now);
        WantOutput();
    }

    private void SetMtu(int mtu)
    {
        _mtu = mtu;
        UpdateSegmentSize();
    }

    private void UpdateSegmentSize()
    {
        _sendMss = (ushort)Math.Min(_peerMss, AnnouncedMss(_mtu, _entry.RemoteAddress, _options.Value.MaxSegment));
        _segmentSize = _sendMss - (_timestamps ? Packets.TcpHeader.TimestampLength : 0);
    }

    /// <summary>The timer has run out again and again while large segments were in flight.</summary>
    private void SuspectBlackHole()
    {
        var floor = _entry.RemoteAddress.IsV4 ? BaseMtuV4 : BaseMtuV6;
        if (_backoff < BlackHoleTimeouts || SndWnd == 0 || !_layer.Options.MtuProbing || _segmentSize + HeadersLength <= TcpLayer.LeastPathMtu(_entry.RemoteAddress))
            return;
        // What is larger than the floor is cut to it first; if that does not help, to what every router must take.
        _searchBelow = _mtu;
        _searchAgainAt = Instant.Never;
        _layer.Counters.TcpMtuBlackHoles++;
        SetMtu(_segmentSize + HeadersLength > floor ? floor : TcpLayer.LeastPathMtu(_entry.RemoteAddress));
    }

    /// <summary>Sends one segment that is larger than the others, if the search goes on and enough follows to show its loss.</summary>
    private bool SendMtuProbe(Instant now)
    {
        Sender.ProbeWaits = false;
        if (_mtu >= _linkMtu || Sender.ProbedMtu > 0 || Sender.LossState != LossState.Open || IsUrgent)
            return false;
        if (_searchAgainAt <= now)
        {
            _searchAgainAt = Instant.Never;
            _searchBelow = _linkMtu + 1;
        }

        var least = _segmentSize + HeadersLength;
        if (_searchBelow == 0 || Log is { ArrivedBytes: > 0 })
            return false;
        var most = Math.Min(_searchBelow - 1, _peerMss + IpHeaderLength(_entry.RemoteAddress) + Packets.TcpHeader.MinLength);
        if (most - least < SearchPrecision)
        {
            EndSearch(least, now);
            return false;
        }

        // The whole first: most black holes are gone when the search begins anew, and most paths take what the link takes.
        var size = _searchBelow > _linkMtu ? most : (least + most + 1) / 2;
        var length = size - HeadersLength;
        var needed = length + WindowForProbe * _segmentSize;
        if (CurrentSegmentSize != _segmentSize || Unsent < needed || Math.Min(CongestionWindow, SndWnd) < needed)
            return false;
        // While acknowledgements come, whatever is smaller waits, or there would never be room.
        var room = Math.Min(CongestionWindow - Pipe, UsableWindow);
        Sender.ProbeWaits = room < length && SndNxt != SndUna;
        if (room < length || !PaceAllows(now))
            return false;
        Sender.ProbedMtu = size;
        EmitNew(length, now, isProbe: true);
        Log!.Last.IsProbe = true;
        return true;
    }

    private void EndSearch(int mtu, Instant now)
    {
        _searchBelow = 0;
        _searchAgainAt = now + PathMtuCache.Lifetime;
        _layer.PathMtu.Set(_entry.RemoteAddress, mtu, now);
    }

    private void ProbeArrived(Transmission probe)
    {
        probe.IsProbe = false;
        if (Sender.ProbedMtu <= _mtu)
            return;
        _layer.Counters.TcpExtTCPMTUPSuccess++;
        SetMtu(Sender.ProbedMtu);
        Sender.ProbedMtu = 0;
    }

    private void ProbeLost(Transmission probe)
    {
        probe.IsProbe = false;
        _layer.Counters.TcpExtTCPMTUPFail++;
        _searchBelow = Math.Min(_searchBelow, Sender.ProbedMtu);
        Sender.ProbedMtu = 0;
    }
}
