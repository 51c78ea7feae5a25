using System.Buffers.Binary;
using System.Text;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Link;

/// <summary>Socket options by Linux's level and name, and the stack's options that they stand for (P18).</summary>
internal static class LinkOptions
{
    /// <summary>TCP_CA_NAME_MAX.</summary>
    private const int CongestionNameLength = 16;

    /// <summary>The stack's option; null if the stack has none for it.</summary>
    public static SocketOption? Map(int level, int name) => (level, name) switch
    {
        (LinkOption.SolSocket, LinkOption.SoError) => SocketOption.Error,
        (LinkOption.SolSocket, LinkOption.SoBroadcast) => SocketOption.Broadcast,
        (LinkOption.SolSocket, LinkOption.SoSndBuf) => SocketOption.SendBuffer,
        (LinkOption.SolSocket, LinkOption.SoRcvBuf) => SocketOption.ReceiveBuffer,
        (LinkOption.SolSocket, LinkOption.SoKeepAlive) => SocketOption.KeepAlive,
        (LinkOption.SolSocket, LinkOption.SoLinger) => SocketOption.Linger,
        (LinkOption.IpProtoTcp, LinkOption.TcpNoDelay) => SocketOption.NoDelay,
        (LinkOption.IpProtoTcp, LinkOption.TcpMaxSeg) => SocketOption.MaximumSegment,
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

    /// <summary>Decodes an int, the name of a congestion control, or struct linger as its seconds, -1 when off.</summary>
    public static bool TryDecode(SocketOption? option, ReadOnlySpan<byte> value, out int number)
    {
        number = 0;
        if (option == SocketOption.CongestionControl)
            return TryDecodeName(value, out number);
        if (value.Length < sizeof(int))
            return false;
        number = BinaryPrimitives.ReadInt32LittleEndian(value);
        if (option != SocketOption.Linger)
            return true;
        if (value.Length < 2 * sizeof(int))
            return false;
        number = number == 0 ? -1 : Math.Max(0, BinaryPrimitives.ReadInt32LittleEndian(value[sizeof(int)..]));
        return true;
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

    public static LinkAnswer Encode(GetOptionRequest request, SocketOption option, int number)
    {
        if (option == SocketOption.CongestionControl)
            return request.Value(Encoding.ASCII.GetBytes(CongestionAlgorithms.NameOf((CongestionAlgorithm)number).PadRight(CongestionNameLength, '\0')));
        if (option != SocketOption.Linger)
            return request.Value(number);
        Span<byte> linger = stackalloc byte[2 * sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(linger, number >= 0 ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(linger[sizeof(int)..], Math.Max(0, number));
        return request.Value(linger);
    }
}
