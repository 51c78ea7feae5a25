using System.Buffers.Binary;
using System.Text;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Link;

/// <summary>Socket options by Linux's level and name, and the stack's options that they stand for (P18).</summary>
internal static class LinkOptions
{
    /// <summary>TCP_RTO_MAX, in seconds.</summary>
    private const int LongestTimeout = 120;

    /// <summary>SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF on a 64-bit machine.</summary>
    private const int LeastSendBuffer = 4608;
    private const int LeastReceiveBuffer = 2304;

    /// <summary>net.core.wmem_max and rmem_max, which Linux doubles.</summary>
    private const int LargestBuffer = 2 * 212_992;

    /// <summary>net.core.somaxconn.</summary>
    private const int LongestQueue = 4096;

    /// <summary>TCP_LISTEN.</summary>
    private const byte ListenState = 10;

    /// <summary>TCP_CA_NAME_MAX.</summary>
    private const int CongestionNameLength = 16;

    /// <summary>The stack's option; null if the stack has none for it.</summary>
    public static SocketOption? Map(int level, int name) => (level, name) switch
    {
        (LinkOption.SolSocket, LinkOption.SoError) => SocketOption.Error,
        (LinkOption.SolSocket, LinkOption.SoBroadcast) => SocketOption.Broadcast,
        (LinkOption.SolSocket, LinkOption.SoSndBuf or LinkOption.SoSndBufForce) => SocketOption.SendBuffer,
        (LinkOption.SolSocket, LinkOption.SoRcvBuf or LinkOption.SoRcvBufForce) => SocketOption.ReceiveBuffer,
        (LinkOption.SolSocket, LinkOption.SoMaxPacingRate) => SocketOption.MaxPacingRate,
        (LinkOption.SolSocket, LinkOption.SoKeepAlive) => SocketOption.KeepAlive,
        (LinkOption.SolSocket, LinkOption.SoLinger) => SocketOption.Linger,
        (LinkOption.IpProtoTcp, LinkOption.TcpNoDelay) => SocketOption.NoDelay,
        (LinkOption.IpProtoTcp, LinkOption.TcpMaxSeg) => SocketOption.MaximumSegment,
        (LinkOption.IpProtoTcp, LinkOption.TcpCork) => SocketOption.Cork,
        (LinkOption.IpProtoTcp, LinkOption.TcpQuickAck) => SocketOption.QuickAck,
        (LinkOption.IpProtoTcp, LinkOption.TcpSynCnt) => SocketOption.SynRetries,
        (LinkOption.IpProtoTcp, LinkOption.TcpLinger2) => SocketOption.FinWait2,
        (LinkOption.IpProtoTcp, LinkOption.TcpDeferAccept) => SocketOption.DeferAccept,
        (LinkOption.IpProtoTcp, LinkOption.TcpWindowClamp) => SocketOption.WindowClamp,
        (LinkOption.Link, LinkOption.LinkOutputQueue) => SocketOption.OutputQueue,
        (LinkOption.Link, LinkOption.LinkUnsentQueue) => SocketOption.UnsentQueue,
        (LinkOption.IpProtoIp, LinkOption.IpMtu) or (LinkOption.IpProtoIpV6, LinkOption.IpV6Mtu) => SocketOption.PathMtu,
        (LinkOption.IpProtoTcp, LinkOption.TcpKeepIdle) => SocketOption.KeepAliveIdle,
        (LinkOption.IpProtoTcp, LinkOption.TcpKeepIntvl) => SocketOption.KeepAliveInterval,
        (LinkOption.IpProtoTcp, LinkOption.TcpKeepCnt) => SocketOption.KeepAliveCount,
        (LinkOption.IpProtoTcp, LinkOption.TcpCongestion) => SocketOption.CongestionControl,
        (LinkOption.IpProtoTcp, LinkOption.TcpUserTimeout) => SocketOption.UserTimeout,
        (LinkOption.IpProtoTcp, LinkOption.TcpFastOpen) => SocketOption.FastOpenQueue,
        (LinkOption.IpProtoTcp, LinkOption.TcpFastOpenConnect) => SocketOption.FastOpenConnect,
        (LinkOption.IpProtoIp, LinkOption.IpTos) or (LinkOption.IpProtoIpV6, LinkOption.IpV6TClass) => SocketOption.TrafficClass,
        (LinkOption.IpProtoIp, LinkOption.IpTtl) or (LinkOption.IpProtoIpV6, LinkOption.IpV6UnicastHops) => SocketOption.HopLimit,
        _ => null,
    };

    public static bool IsTcpInfo(GetOptionRequest get) => (get.Level, get.Name) == (LinkOption.IpProtoTcp, LinkOption.TcpInfo);

    public static bool IsReuseAddress(int level, int name) => (level, name) == (LinkOption.SolSocket, LinkOption.SoReuseAddr);

    public static bool IsReusePort(int level, int name) => (level, name) == (LinkOption.SolSocket, LinkOption.SoReusePort);

    /// <summary>Read-only options that follow from the kind of socket: type, family, protocol, whether it listens, and that urgent bytes stay in line. Null:
    /// another option.</summary>
    public static int? Fixed(int level, int name, SocketFamily family, LinkSocketType type, bool listens) => level != LinkOption.SolSocket ? null : name switch
    {
        LinkOption.SoType => (int)type,
        LinkOption.SoDomain => (int)family,
        LinkOption.SoProtocol => type == LinkSocketType.Stream ? 6 : 17,
        LinkOption.SoAcceptConn => listens ? 1 : 0,
        LinkOption.SoOobInline when type == LinkSocketType.Stream => 1,
        _ => null,
    };

    /// <summary>Reads a number as Linux does: four bytes, or one for an option of IP, where an empty value is 0 (do_ip_setsockopt). The few options of IPv6 that take less are
    /// turned off by it (<see cref="OptionChecks"/>).</summary>
    public static bool TryReadNumber(int level, ReadOnlySpan<byte> value, out int number)
    {
        number = value.Length >= sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(value) : value.Length > 0 && level == LinkOption.IpProtoIp ? value[0] : 0;
        return value.Length >= sizeof(int) || level is LinkOption.IpProtoIp or LinkOption.IpProtoIpV6;
    }

    /// <summary>Decodes a number, the name of a congestion control, struct linger as its seconds, -1 when off, the seconds of TCP_DEFER_ACCEPT as retransmissions, or a pacing
    /// rate as the bits of a u32.</summary>
    public static bool TryDecode(int level, SocketOption? option, ReadOnlySpan<byte> value, out int number)
    {
        number = 0;
        if (option == SocketOption.CongestionControl)
            return TryDecodeName(value, out number);
        if (!TryReadNumber(level, value, out number))
            return false;
        switch (option)
        {
            case SocketOption.Linger:
                if (value.Length < 2 * sizeof(int))
                    return false;
                number = number == 0 ? -1 : Math.Max(0, BinaryPrimitives.ReadInt32LittleEndian(value[sizeof(int)..]));
                return true;
            case SocketOption.SendBuffer:
                number = BufferSize(number, LeastSendBuffer);
                return true;
            case SocketOption.ReceiveBuffer:
                number = BufferSize(number, LeastReceiveBuffer);
                return true;
            case SocketOption.TrafficClass:
                number = level == LinkOption.IpProtoIp ? (byte)number : number == -1 ? 0 : number;
                return true;
            case SocketOption.FastOpenQueue:
                number = Math.Min(number, LongestQueue);
                return true;
            case SocketOption.DeferAccept:
                number = RetransmissionsIn(number);
                return true;
            case SocketOption.MaxPacingRate when value.Length >= sizeof(long):
                number = (int)(uint)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(value), uint.MaxValue);
                return true;
            default:
                return true;
        }
    }

    /// <summary>What a value that cannot be decoded fails with, as an errno.</summary>
    public static int RefusalOf(SocketOption? option) => option == SocketOption.CongestionControl ? LinkErrno.NoEntry : (int)StackError.InvalidArgument;

    /// <summary>As a number without a sign, a negative one is beyond every limit (sk_setsockopt).</summary>
    private static int BufferSize(int bytes, int least) => bytes < 0 ? LargestBuffer : Math.Max(bytes, least);

    /// <summary>How often a SYN-ACK is sent again within so many seconds: after 1, 3, 7 and so on (secs_to_retrans).</summary>
    private static int RetransmissionsIn(int seconds)
    {
        var count = 0;
        for (int timeout = 1, period = 0; period < seconds && count < byte.MaxValue; timeout = Math.Min(2 * timeout, LongestTimeout), count++)
            period += timeout;
        return count;
    }

    /// <summary>The seconds that so many retransmissions take (retrans_to_secs).</summary>
    private static int SecondsOf(int retransmissions)
    {
        var period = 0;
        for (var timeout = 1; retransmissions > 0; timeout = Math.Min(2 * timeout, LongestTimeout), retransmissions--)
            period += timeout;
        return period;
    }

    /// <summary>Like Linux, takes a name with or without a terminating zero.</summary>
    private static bool TryDecodeName(ReadOnlySpan<byte> value, out int number)
    {
        var known = CongestionAlgorithms.TryParse(Encoding.ASCII.GetString(value.TrimEnd((byte)0)), out var algorithm);
        number = (int)algorithm;
        return known;
    }

    public static LinkAnswer Encode(GetOptionRequest request, in TcpInfo info)
    {
        Span<byte> value = stackalloc byte[LinkTcpInfo.Size];
        LinkTcpInfo.Write(info, value);
        return request.Value(value);
    }

    /// <summary>struct tcp_info of a listener, whose state is all that there is to tell.</summary>
    public static LinkAnswer EncodeListening(GetOptionRequest request)
    {
        Span<byte> value = stackalloc byte[LinkTcpInfo.Size];
        LinkTcpInfo.Write(default, value);
        value[0] = ListenState;
        return request.Value(value);
    }

    public static LinkAnswer Encode(GetOptionRequest request, SocketOption option, int number)
    {
        if (option == SocketOption.CongestionControl)
            return request.Value(Encoding.ASCII.GetBytes(CongestionAlgorithms.NameOf((CongestionAlgorithm)number).PadRight(CongestionNameLength, '\0')));
        if (option == SocketOption.DeferAccept)
            return request.Value(SecondsOf(number));
        if (option == SocketOption.MaxPacingRate && request.MaxLength >= sizeof(ulong))
            return request.Value(BitConverter.GetBytes((uint)number == uint.MaxValue ? ulong.MaxValue : (uint)number));
        if (option != SocketOption.Linger)
            return request.Value(number);
        Span<byte> linger = stackalloc byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(linger, number >= 0 ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(linger[sizeof(int)..], Math.Max(0, number));
        return request.Value(linger);
    }
}
