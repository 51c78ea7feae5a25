namespace Tapwire.Stack;

/// <summary>Why a socket call or a connection failed. The values are Linux errno numbers, so that they cross the link as they are.</summary>
public enum StackError
{
    None = 0,

    /// <summary>EACCES: sending to a broadcast address was not allowed for the socket.</summary>
    AccessDenied = 13,

    /// <summary>ENODEV: there is no such interface.</summary>
    NoSuchDevice = 19,

    /// <summary>EINVAL: the call makes no sense in the socket's state.</summary>
    InvalidArgument = 22,

    /// <summary>EPIPE: the sending side has been shut down.</summary>
    BrokenPipe = 32,

    /// <summary>ENONET: a router said that this host is cut off (ICMP source host isolated).</summary>
    NotOnNetwork = 64,

    /// <summary>EPROTO: somebody on the path refused a header field (ICMP parameter problem).</summary>
    ProtocolError = 71,

    /// <summary>EDESTADDRREQ: a datagram without a destination, on a socket that is not connected.</summary>
    DestinationRequired = 89,

    /// <summary>EMSGSIZE: the datagram is larger than the protocol can carry.</summary>
    MessageTooLong = 90,

    /// <summary>ENOPROTOOPT: no such option at that level, or the host does not speak the protocol (ICMP protocol unreachable).</summary>
    NoSuchOption = 92,

    /// <summary>EOPNOTSUPP: the operation is not supported on this type of socket, or a router could not follow a source route.</summary>
    NotSupported = 95,

    /// <summary>EAFNOSUPPORT: the address's family does not fit the socket's.</summary>
    AddressFamilyNotSupported = 97,

    /// <summary>EADDRINUSE: another socket has the port, or no ephemeral port is free.</summary>
    AddressInUse = 98,

    /// <summary>EADDRNOTAVAIL: the address is not one of this stack's.</summary>
    AddressNotAvailable = 99,

    /// <summary>ENETUNREACH: no route to the destination.</summary>
    NetworkUnreachable = 101,

    /// <summary>ECONNABORTED: the connection was aborted by this side (its driver stops, its actor failed, its address was removed).</summary>
    ConnectionAborted = 103,

    /// <summary>ECONNRESET: the peer reset the connection.</summary>
    ConnectionReset = 104,

    /// <summary>ENOBUFS: a limit on memory or on the number of sockets was met.</summary>
    NoBufferSpace = 105,

    /// <summary>EISCONN: the socket is connected already.</summary>
    AlreadyConnected = 106,

    /// <summary>ENOTCONN: the socket is not connected.</summary>
    NotConnected = 107,

    /// <summary>ETIMEDOUT: the peer did not answer in time.</summary>
    TimedOut = 110,

    /// <summary>ECONNREFUSED: the peer answered the SYN with RST, or a datagram with port unreachable.</summary>
    ConnectionRefused = 111,

    /// <summary>EHOSTDOWN: a router does not know of the host.</summary>
    HostDown = 112,

    /// <summary>EHOSTUNREACH: a router said so, or the next hop does not answer ARP or neighbour discovery.</summary>
    HostUnreachable = 113,
}
