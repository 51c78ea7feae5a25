namespace Tapwire.Links.Protocol;

/// <summary>Levels and names of socket options, with Linux's numbers.</summary>
public static class LinkOption
{
    public const int SolSocket = 1;
    public const int SoDebug = 1;
    public const int SoReuseAddr = 2;
    public const int SoType = 3;
    public const int SoError = 4;
    public const int SoDontRoute = 5;
    public const int SoBroadcast = 6;
    public const int SoSndBuf = 7;
    public const int SoRcvBuf = 8;
    public const int SoKeepAlive = 9;
    public const int SoOobInline = 10;
    public const int SoPriority = 12;

    /// <summary>struct linger: i32 on, i32 seconds.</summary>
    public const int SoLinger = 13;

    public const int SoReusePort = 15;
    public const int SoAcceptConn = 30;
    public const int SoProtocol = 38;
    public const int SoDomain = 39;
    public const int SoBusyPoll = 46;
    public const int SoIncomingCpu = 49;

    public const int IpProtoIp = 0;
    public const int IpTos = 1;
    public const int IpTtl = 2;
    public const int IpMtuDiscover = 10;
    public const int IpRecvErr = 11;
    public const int IpBindAddressNoPort = 24;

    public const int IpProtoTcp = 6;
    public const int TcpNoDelay = 1;
    public const int TcpMaxSeg = 2;
    public const int TcpCork = 3;
    public const int TcpKeepIdle = 4;
    public const int TcpKeepIntvl = 5;
    public const int TcpKeepCnt = 6;
    public const int TcpLinger2 = 8;
    public const int TcpDeferAccept = 9;

    /// <summary>struct tcp_info; to read. <see cref="LinkTcpInfo"/> writes it.</summary>
    public const int TcpInfo = 11;

    public const int TcpQuickAck = 12;

    /// <summary>The name of a congestion control, up to 16 bytes, padded with zeros: "cubic", "bbr" or "reno".</summary>
    public const int TcpCongestion = 13;

    public const int TcpUserTimeout = 18;

    /// <summary>Of a listener: how many connections may be open before their handshake is done (TCP Fast Open).</summary>
    public const int TcpFastOpen = 23;

    public const int TcpNotSentLowat = 25;

    /// <summary>Connecting waits for the first write if a Fast Open cookie is at hand.</summary>
    public const int TcpFastOpenConnect = 30;

    public const int IpProtoIpV6 = 41;
    public const int IpV6UnicastHops = 16;
    public const int IpV6MtuDiscover = 23;
    public const int IpV6RecvErr = 25;
    public const int IpV6V6Only = 26;
    public const int IpV6TClass = 67;
}
