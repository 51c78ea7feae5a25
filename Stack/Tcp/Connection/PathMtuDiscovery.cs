using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp.Connection;

/// <summary>
/// The path MTU: reported by ICMP (RFC 1191, RFC 8201, with the checks of RFC 5927), or, where ICMP is filtered, found by search (RFC 4821; RFC 8899). After
/// repeated time-outs of large segments they become small, and single larger probes then find out what passes.
/// </summary>
/// <remarks><see cref="MtuProbe"/> is the probe in flight.</remarks>
internal struct PathMtuDiscovery
{
    /// <summary>After this many time-outs in a row the path may be a black hole for large packets.</summary>
    private const int BlackHoleTimeouts = 4;

    /// <summary>A size that nearly every path takes (BASE_PLPMTU, RFC 8899, 5.1.2; tcp_base_mss is a little less).</summary>
    private const int BaseMtuV4 = 1064;
    private const int BaseMtuV6 = 1280;

    /// <summary>The search ends when it could gain no more than this.</summary>
    private const int SearchPrecision = 32;

    /// <summary>Size of the largest IP packet sent.</summary>
    private int _mtu;

    /// <summary>The MTU of the egress interface.</summary>
    private int _linkMtu;

    /// <summary>Upper bound of the search: packets of this size are known, or assumed, not to pass; 0 without a search.</summary>
    private int _searchBelow;

    /// <summary>The MSS that the peer has announced.</summary>
    private ushort _peerMss;

    /// <summary>When larger packets are tried again, because the path may have changed (RFC 1191, 6.3).</summary>
    private Instant _searchAgainAt;

    /// <summary>Packets are smaller than the interface's MTU.</summary>
    /// <summary>The largest packet that the path takes, in bytes.</summary>
    public readonly int Mtu => _mtu;

    public readonly bool IsReduced => _mtu < _linkMtu;

    /// <summary>Largest packet that the device cuts into segments; 0 where it cuts none.</summary>
    public int SuperFrame { get; private set; }

    /// <summary>Payload of a full-sized segment without SACK blocks.</summary>
    public int SegmentSize { get; private set; }

    /// <summary>Begins with a segment size for a peer that has not announced an MSS.</summary>
    public void Begin(TcpConnection connection, int linkMtu, int superFrame, int segmentSize, Instant now)
    {
        _linkMtu = linkMtu;
        SuperFrame = superFrame > linkMtu ? superFrame : 0;
        _mtu = connection.Layer.PathMtu.Find(connection.RemoteAddress, linkMtu, now);
        _searchAgainAt = _mtu < _linkMtu ? now + PathMtuCache.Lifetime : Instant.Never;
        SegmentSize = segmentSize;
    }

    public void SetPeerMss(TcpConnection connection, int mss)
    {
        _peerMss = (ushort)mss;
        UpdateSegmentSize(connection);
    }

    /// <summary>A router reports that a packet was too big.</summary>
    /// <returns>True if segments are smaller from now on.</returns>
    public bool Reduce(TcpConnection connection, int mtu, Instant now)
    {
        if (mtu >= _mtu)
            return false;
        EndSearch(connection, mtu, now);
        SetMtu(connection, mtu);
        return true;
    }

    /// <summary>The timer has run out repeatedly while large segments were in flight.</summary>
    /// <param name="timeouts">Number of time-outs in a row.</param>
    public void SuspectBlackHole(TcpConnection connection, int timeouts)
    {
        var layer = connection.Layer;
        var peer = connection.RemoteAddress;
        var size = SegmentSize + HeadersLength(connection);
        if (timeouts < BlackHoleTimeouts || !layer.Options.MtuProbing || size <= PathMtuCache.LeastTo(peer))
            return;
        // Larger packets are first reduced to the floor; if that does not help, to the size that every router must take.
        var floor = peer.IsV4 ? BaseMtuV4 : BaseMtuV6;
        _searchBelow = _mtu;
        _searchAgainAt = Instant.Never;
        layer.Counters.TcpMtuBlackHoles++;
        SetMtu(connection, size > floor ? floor : PathMtuCache.LeastTo(peer));
    }

    /// <summary>The packet size of the next probe, if the search is in progress.</summary>
    /// <param name="isQuiet">No data is reported missing.</param>
    /// <returns>0: none.</returns>
    public int NextMtuProbe(TcpConnection connection, bool isQuiet, Instant now)
    {
        if (_mtu >= _linkMtu)
            return 0;
        if (_searchAgainAt <= now)
        {
            _searchAgainAt = Instant.Never;
            _searchBelow = _linkMtu + 1;
        }

        if (_searchBelow == 0 || !isQuiet)
            return 0;
        var least = SegmentSize + HeadersLength(connection);
        var most = Math.Min(_searchBelow - 1, _peerMss + SynOptions.IpHeaderLength(connection.RemoteAddress) + TcpHeader.MinLength);
        if (most - least < SearchPrecision)
        {
            EndSearch(connection, least, now);
            return 0;
        }

        // The full MTU comes first: most black holes are gone when the search begins anew, and most paths take the interface's MTU.
        return _searchBelow > _linkMtu ? most : (least + most + 1) / 2;
    }

    /// <summary>A probe of that size has arrived.</summary>
    /// <returns>True if it is larger than all packets before.</returns>
    public bool MtuProbeArrived(TcpConnection connection, int size)
    {
        if (size <= _mtu)
            return false;
        SetMtu(connection, size);
        return true;
    }

    /// <summary>A probe of that size was lost.</summary>
    public void MtuProbeLost(int size) => _searchBelow = Math.Min(_searchBelow, size);

    /// <summary>Bytes of headers in a full-sized packet.</summary>
    public static int HeadersLength(TcpConnection connection) =>
        SynOptions.IpHeaderLength(connection.RemoteAddress) + TcpHeader.MinLength + (connection.Timestamps.AreUsed ? TcpHeader.TimestampLength : 0);

    private void EndSearch(TcpConnection connection, int mtu, Instant now)
    {
        _searchBelow = 0;
        _searchAgainAt = now + PathMtuCache.Lifetime;
        connection.Layer.PathMtu.Set(connection.RemoteAddress, mtu, now);
    }

    private void SetMtu(TcpConnection connection, int mtu)
    {
        _mtu = mtu;
        UpdateSegmentSize(connection);
    }

    private void UpdateSegmentSize(TcpConnection connection)
    {
        var mss = Math.Min(_peerMss, SynOptions.AnnouncedMss(_mtu, connection.RemoteAddress, connection.Options.MaxSegment));
        SegmentSize = mss - (connection.Timestamps.AreUsed ? TcpHeader.TimestampLength : 0);
    }
}
