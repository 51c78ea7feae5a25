using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Messages;

/// <summary>The socket options that concern the stack, for an existing connection. Before that they are in the socket's options record.</summary>
public enum SocketOption
{
    /// <summary>0 or 1: send small segments at once (TCP_NODELAY).</summary>
    NoDelay,

    /// <summary>0 or 1: send keep-alive probes (SO_KEEPALIVE).</summary>
    KeepAlive,

    /// <summary>Seconds of silence before the first keep-alive probe (TCP_KEEPIDLE).</summary>
    KeepAliveIdle,

    /// <summary>Seconds between keep-alive probes (TCP_KEEPINTVL).</summary>
    KeepAliveInterval,

    /// <summary>Unanswered keep-alive probes before the connection is given up (TCP_KEEPCNT).</summary>
    KeepAliveCount,

    /// <summary>Milliseconds that sent data may stay unacknowledged; 0 is the default (TCP_USER_TIMEOUT).</summary>
    UserTimeout,

    /// <summary>Size of the receive buffer in bytes (SO_RCVBUF).</summary>
    ReceiveBuffer,

    /// <summary>Size of the send buffer in bytes (SO_SNDBUF).</summary>
    SendBuffer,

    /// <summary>0 makes close abort the connection, anything else does not (SO_LINGER; waiting in close is the application's part). Reads as 0 or -1.</summary>
    Linger,

    /// <summary>TTL of packets sent: 1..255, -1 for the stack's default (IP_TTL).</summary>
    HopLimit,

    /// <summary>TTL of datagrams to a group: 0..255; with 0 they do not leave (IP_MULTICAST_TTL).</summary>
    MulticastHopLimit,

    /// <summary>0 or 1: sockets of this host that are in a group get what this one sends to it (IP_MULTICAST_LOOP).</summary>
    MulticastLoop,

    /// <summary>0 or 1: receives from groups that only other sockets are in (IP_MULTICAST_ALL).</summary>
    MulticastAll,

    /// <summary>DSCP and ECN bits of packets sent (IP_TOS).</summary>
    TrafficClass,

    /// <summary>0 or 1: may send to a broadcast address (SO_BROADCAST).</summary>
    Broadcast,

    /// <summary>0 or 1: datagrams come with the time of their arrival (SO_TIMESTAMP).</summary>
    ArrivalTimes,

    /// <summary>0 or 1: errors about datagrams come with what is known of them (IP_RECVERR).</summary>
    ErrorReports,

    /// <summary>0..65535: bytes of each datagram that a longer payload is cut into (UDP_SEGMENT).</summary>
    SegmentSize,

    /// <summary>0..5, a <see cref="Tapwire.Stack.Udp.MtuDiscovery"/>: what becomes of datagrams that are longer than the path takes, of those over IPv4 (IP_MTU_DISCOVER).</summary>
    MtuDiscovery,

    /// <summary>The same of datagrams over IPv6 (IPV6_MTU_DISCOVER).</summary>
    MtuDiscoveryV6,

    /// <summary>0, 1280 or more: bytes of the largest packet over IPv6, whatever the path takes; 0: no such limit (IPV6_MTU).</summary>
    PacketSizeV6,

    /// <summary>0 or 1: datagrams over IPv6 that are longer than the path takes are refused (IPV6_DONTFRAG).</summary>
    DontFragmentV6,

    /// <summary>The pending error, cleared by the read (SO_ERROR).</summary>
    Error,

    /// <summary>0 or 1: with a known cookie, connecting waits for the first write, and sends it with the SYN (TCP_FASTOPEN_CONNECT; set before
    /// connecting).</summary>
    FastOpenConnect,

    /// <summary>Connections of a listener that may be open before their handshake is done; 0 is none (TCP_FASTOPEN; set before or after listening).</summary>
    FastOpenQueue,

    /// <summary>Largest segment towards the peer, in bytes. Setting it bounds what the handshake agrees on: 88..32767, 0 for no bound (TCP_MAXSEG).</summary>
    MaximumSegment,

    /// <summary>0 or 1: only full segments leave (TCP_CORK).</summary>
    Cork,

    /// <summary>As in Linux, an action rather than a mode: odd values send a waiting acknowledgement (TCP_QUICKACK).</summary>
    QuickAck,

    /// <summary>Bytes per second, as the bits of a u32; 0xFFFFFFFF and 0: no bound (SO_MAX_PACING_RATE).</summary>
    MaxPacingRate,

    /// <summary>Largest window to announce, in bytes; 0: no bound (TCP_WINDOW_CLAMP).</summary>
    WindowClamp,

    /// <summary>Retransmissions of a SYN, 1..127 (TCP_SYNCNT).</summary>
    SynRetries,

    /// <summary>Retransmissions of the SYN-ACK after which a connection without data is made, 0..255 (TCP_DEFER_ACCEPT, whose unit is seconds).</summary>
    DeferAccept,

    /// <summary>Seconds that the peer's FIN is waited for after close; 0 is the default, negative does not wait (TCP_LINGER2).</summary>
    FinWait2,

    /// <summary>Bytes written and not acknowledged; read only (SIOCOUTQ).</summary>
    OutputQueue,

    /// <summary>Bytes written and never sent; read only (SIOCOUTQNSD).</summary>
    UnsentQueue,

    /// <summary>The path MTU of a connection in bytes; read only (IP_MTU).</summary>
    PathMtu,

    /// <summary>A <see cref="Tapwire.Stack.Tcp.CongestionAlgorithm"/> (TCP_CONGESTION).</summary>
    CongestionControl,
}

/// <summary>A socket's actor → StackActor: set an option. Answered by <see cref="OptionAnswer"/>.</summary>
public sealed record SetOption(SocketId Id, SocketOption Option, int Value);

/// <summary>A socket's actor → StackActor: read an option. Answered by <see cref="OptionAnswer"/>.</summary>
public sealed record GetOption(SocketId Id, SocketOption Option);

/// <summary>A socket's actor → StackActor: report the connection's state. Answered by <see cref="TcpInfoAnswer"/>, in order with the answers about
/// options.</summary>
public sealed record GetTcpInfo(SocketId Id);

/// <summary>StackActor → the socket's actor: the connection's state.</summary>
/// <param name="Info">Null when the connection has ended.</param>
public sealed record TcpInfoAnswer(TcpInfo? Info);

/// <summary>StackActor → the socket's actor: the option's value, or that it is set, or the error.</summary>
public sealed record OptionAnswer(StackError Error, int Value);
