using System.Buffers.Binary;
using System.Text;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Link;

/// <summary>Socket options as applications name them (Linux's level and name, P18), and what they mean here.</summary>
internal static class LinkOptions
{
    private const int SolIp = 0;
    private const int SolSocket = 1;
    private const int SolTcp = 6;
    private const int SolIpv6 = 41;

    private const int SoReuseAddress = 2;
    private const int SoType = 3;
    private const int SoError = 4;
    private const int SoBroadcast = 6;
    private const int SoSendBuffer = 7;
    private const int SoReceiveBuffer = 8;
    private const int SoKeepAlive = 9;
    private const int SoLinger = 13;
    private const int SoAcceptConnections = 30;
    private const int SoProtocol = 38;
    private const int SoDomain = 39;

    /// <summary>TCP_CA_NAME_MAX.</summary>
    private const int CongestionNameLength = 16;

    /// <summary>What an option means to the stack, or null: it is none of the stack's.</summary>
    public static SocketOption? Map(int level, int name) => (level, name) switch
    {
        (SolSocket, SoError) => SocketOption.Error,
        (SolSocket, SoBroadcast) => SocketOption.Broadcast,
        (SolSocket, SoSendBuffer) => SocketOption.SendBuffer,
        (SolSocket, SoReceiveBuffer) => SocketOption.ReceiveBuffer,
        (SolSocket, SoKeepAlive) => SocketOption.KeepAlive,
        (SolSocket, SoLinger) => SocketOption.Linger,
        (SolTcp, 1) => SocketOption.NoDelay,
        (SolTcp, 2) => SocketOption.MaximumSegment,
        (SolTcp, 4) => SocketOption.KeepAliveIdle,
        (SolTcp, 5) => SocketOption.KeepAliveInterval,
        (SolTcp, 6) => SocketOption.KeepAliveCount,
        (SolTcp, 13) => SocketOption.CongestionControl,
        (SolTcp, 18) => SocketOption.UserTimeout,
        (SolIp, 1) or (SolIpv6, 67) => SocketOption.TrafficClass,
        (SolIp, 2) or (SolIpv6, 16) => SocketOption.HopLimit,
        _ => null,
    };

    public static bool IsReuseAddress(int level, int name) => (level, name) == (SolSocket, SoReuseAddress);

    /// <summary>Options that are answered from what the socket is: its type, family, protocol, and whether it listens.</summary>
    public static int? Fixed(int level, int name, LinkFamily family, LinkSocketType type, bool listens) => level != SolSocket ? null : name switch
    {
        SoType => (int)type,
        SoDomain => (int)family,
        SoProtocol => type == LinkSocketType.Stream ? 6 : 17,
        SoAcceptConnections => listens ? 1 : 0,
        _ => null,
    };

    /// <summary>An int, or struct linger, as one number: linger is -1 when off.</summary>
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

    /// <summary>A name, as Linux takes it: with or without a zero at the end.</summary>
    private static bool TryDecodeName(ReadOnlySpan<byte> value, out int number)
    {
        var known = CongestionAlgorithms.TryParse(Encoding.ASCII.GetString(value.TrimEnd((byte)0)), out var algorithm);
        number = (int)algorithm;
        return known;
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
