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

    /// <summary>Sockets of one user, all with it set before bind, share an address. SO_ATTACH_REUSEPORT_CBPF and _EBPF are ENOPROTOOPT, as in a kernel without them:
    /// the choice is a keyed hash of the flow.</summary>
    public const int SoReusePort = 15;

    /// <summary>Received datagrams come with a struct timeval; on streams it is remembered.</summary>
    public const int SoTimestamp = 29;

    /// <summary>Received datagrams come with a struct timespec; on streams it is remembered.</summary>
    public const int SoTimestampNs = 35;

    /// <summary>Flags (SOF_TIMESTAMPING); only SOF_TIMESTAMPING_RX_SOFTWARE with SOF_TIMESTAMPING_SOFTWARE brings stamps.</summary>
    public const int SoTimestamping = 37;

    /// <summary>Received datagrams come with the number of those that there was no room for.</summary>
    public const int SoRxqOvfl = 40;

    public const int SoTimestampNew = 63;
    public const int SoTimestampNsNew = 64;
    public const int SoTimestampingNew = 65;
    public const int SoRcvLowat = 18;

    /// <summary>struct timeval. It holds for the descriptor itself; a driver gives it to the connections of a listener.</summary>
    public const int SoRcvTimeo = 20;

    /// <inheritdoc cref="SoRcvTimeo"/>
    public const int SoSndTimeo = 21;

    public const int SoAcceptConn = 30;

    /// <summary>As SO_SNDBUF, beyond net.core.wmem_max. For the privileged, which the library checks.</summary>
    public const int SoSndBufForce = 32;

    /// <inheritdoc cref="SoSndBufForce"/>
    public const int SoRcvBufForce = 33;

    /// <summary>The name of an interface.</summary>
    public const int SoBindToDevice = 25;

    public const int SoProtocol = 38;
    public const int SoDomain = 39;
    /// <summary>Where MSG_PEEK reads. It holds for the descriptor itself, as <see cref="SoRcvTimeo"/>.</summary>
    public const int SoPeekOff = 42;

    public const int SoBusyPoll = 46;

    /// <summary>Bytes per second, u32 or u64; all bits: no bound.</summary>
    public const int SoMaxPacingRate = 47;

    public const int SoIncomingCpu = 49;

    /// <inheritdoc cref="SoRcvTimeo"/>
    public const int SoRcvTimeoNew = 66;

    /// <inheritdoc cref="SoRcvTimeo"/>
    public const int SoSndTimeoNew = 67;


    public const int IpProtoIp = 0;
    public const int IpTos = 1;
    public const int IpTtl = 2;

    /// <summary>Datagrams come with struct in_pktinfo, and can be sent with one.</summary>
    public const int IpPktInfo = 8;

    /// <summary>IP_PMTUDISC_DONT to IP_PMTUDISC_OMIT. On streams it is remembered: TCP's packets are never fragmented.</summary>
    public const int IpMtuDiscover = 10;

    public const int IpPmtuDiscWant = 1;
    public const int IpPmtuDiscOmit = 5;

    /// <summary>Errors about datagrams are reported with struct sock_extended_err, also on sockets that are not connected.</summary>
    public const int IpRecvErr = 11;

    public const int IpRecvTtl = 12;
    public const int IpRecvTos = 13;

    /// <summary>The path MTU of a connected socket; to read.</summary>
    public const int IpMtu = 14;

    public const int IpFreeBind = 15;
    public const int IpTransparent = 19;
    public const int IpRecvOrigDstAddr = 20;
    public const int IpMinTtl = 21;
    public const int IpBindAddressNoPort = 24;

    /// <summary>struct in_addr, ip_mreq or ip_mreqn; reads as struct in_addr.</summary>
    public const int IpMulticastIf = 32;

    /// <summary>TTL of datagrams to a group.</summary>
    public const int IpMulticastTtl = 33;

    public const int IpMulticastLoop = 34;

    /// <summary>struct ip_mreq or ip_mreqn.</summary>
    public const int IpAddMembership = 35;
    public const int IpDropMembership = 36;

    /// <summary>struct ip_mreq_source.</summary>
    public const int IpUnblockSource = 37;
    public const int IpBlockSource = 38;
    public const int IpAddSourceMembership = 39;
    public const int IpDropSourceMembership = 40;

    /// <summary>struct ip_msfilter; only to set.</summary>
    public const int IpMsFilter = 41;

    /// <summary>struct group_req, as option of IP and of IPv6.</summary>
    public const int McastJoinGroup = 42;

    /// <summary>struct group_source_req.</summary>
    public const int McastBlockSource = 43;
    public const int McastUnblockSource = 44;
    public const int McastLeaveGroup = 45;
    public const int McastJoinSourceGroup = 46;
    public const int McastLeaveSourceGroup = 47;

    public const int IpMulticastAll = 49;
    public const int IpUnicastIf = 50;
    public const int IpLocalPortRange = 51;

    public const int IpProtoTcp = 6;
    public const int TcpNoDelay = 1;
    public const int TcpMaxSeg = 2;
    public const int TcpCork = 3;
    public const int TcpKeepIdle = 4;
    public const int TcpKeepIntvl = 5;
    public const int TcpKeepCnt = 6;
    public const int TcpSynCnt = 7;
    public const int TcpLinger2 = 8;

    /// <summary>Seconds, in steps of the times at which a SYN-ACK is sent again.</summary>
    public const int TcpDeferAccept = 9;

    public const int TcpWindowClamp = 10;


    /// <summary>struct tcp_info; to read. <see cref="LinkTcpInfo"/> writes it.</summary>
    public const int TcpInfo = 11;

    public const int TcpQuickAck = 12;

    /// <summary>The name of a congestion control, up to 16 bytes, padded with zeros: "cubic", "bbr" or "reno".</summary>
    public const int TcpCongestion = 13;

    public const int TcpUserTimeout = 18;

    /// <summary>Of a listener: how many connections may be open before their handshake is done (TCP Fast Open).</summary>
    public const int TcpFastOpen = 23;

    public const int TcpNotSentLowat = 25;
    public const int TcpUlp = 31;
    public const int TcpFastOpenKey = 33;

    /// <summary>Connecting waits for the first write if a Fast Open cookie is at hand.</summary>
    public const int TcpFastOpenConnect = 30;

    public const int IpProtoUdp = 17;

    /// <summary>What is sent waits, and leaves as one datagram once this is cleared.</summary>
    public const int UdpCork = 1;

    /// <summary>Bytes of each datagram that a longer payload is cut into (u16 as a control message).</summary>
    public const int UdpSegment = 103;

    /// <summary>Datagrams of one sender that wait come as one, with their size.</summary>
    public const int UdpGro = 104;

    public const int IpProtoIpV6 = 41;
    public const int IpV6UnicastHops = 16;

    /// <summary>The number of an interface.</summary>
    public const int IpV6MulticastIf = 17;
    public const int IpV6MulticastHops = 18;
    public const int IpV6MulticastLoop = 19;

    /// <summary>struct ipv6_mreq.</summary>
    public const int IpV6JoinGroup = 20;
    public const int IpV6LeaveGroup = 21;
    public const int IpV6MtuDiscover = 23;

    /// <inheritdoc cref="IpMtu"/>
    public const int IpV6Mtu = 24;

    public const int IpV6RecvErr = 25;
    public const int IpV6V6Only = 26;
    public const int IpV6MulticastAll = 29;
    public const int IpV6RecvPktInfo = 49;
    public const int IpV6RecvHopLimit = 51;
    public const int IpV6RecvTClass = 66;
    public const int IpV6DontFrag = 62;
    public const int IpV6TClass = 67;
    public const int IpV6AutoFlowLabel = 70;
    public const int IpV6RecvOrigDstAddr = 74;
    public const int IpV6UnicastIf = 76;
    public const int IpV6RecvFragSize = 77;

    /// <summary>The link's own level, "TW": what Linux tells by ioctl.</summary>
    public const int Link = 0x5457;

    /// <summary>SIOCOUTQ: bytes that the peer has not acknowledged, those in the pair included; to read.</summary>
    public const int LinkOutputQueue = 1;

    /// <summary>SIOCOUTQNSD: bytes that were never sent, those in the pair included; to read.</summary>
    public const int LinkUnsentQueue = 2;

    /// <summary>
    /// MCAST_MSFILTER without the holes of struct group_filter: u32 interface, u32 mode, u32 number of sources, u32 address family, then the group and the sources in 16 bytes each; to set.
    /// </summary>
    public const int LinkGroupFilter = 3;
}
