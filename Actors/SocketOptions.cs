using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

/// <summary>Reads and writes socket options: of live sockets, and in the options record of a TCP socket before it is connected.</summary>
internal static class SocketOptions
{
    /// <summary>SOCK_MIN_RCVBUF / 2.</summary>
    private const int LeastWindowClamp = 1152;

    /// <summary>INET_ECN_MASK: TCP sets these bits itself.</summary>
    private const int EcnBits = 3;

    /// <summary>TCP_FIN_TIMEOUT_MAX, in seconds.</summary>
    private const int LongestFinWait2 = 120;

    public static StackError Set(StackSocket socket, SocketOption option, int value, Instant now)
    {
        switch (socket)
        {
            case TcpSocket tcp when option == SocketOption.QuickAck:
                tcp.AcknowledgeQuickly(value);
                return StackError.None;
            case TcpSocket tcp:
                // A send buffer only grows, because the owner has been promised its room.
                if (option == SocketOption.SendBuffer)
                    value = Math.Max(value, tcp.SendBuffer);
                var options = tcp.Options;
                var error = Set(ref options, option, value);
                if (error == StackError.None)
                    tcp.SetOptions(options, now);
                return error;
            case TcpListener listener:
                var inherited = listener.SocketOptions;
                var refusal = Set(ref inherited, option, value);
                if (refusal == StackError.None)
                    listener.SetOptions(inherited);
                return refusal;
            case UdpSocket udp:
                return SetUdp(udp, option, value);
            default:
                return StackError.NoSuchOption;
        }
    }

    public static StackError Get(StackSocket socket, SocketOption option, out int value)
    {
        (var error, value) = (socket, option) switch
        {
            (TcpSocket tcp, SocketOption.Error) => (StackError.None, (int)(tcp.Error == StackError.None ? tcp.TakeSoftError() : tcp.Error)),
            (TcpSocket tcp, SocketOption.MaximumSegment) => (StackError.None, tcp.Info.SegmentSize),
            (TcpSocket tcp, SocketOption.QuickAck) => (StackError.None, tcp.AcknowledgesQuickly ? 1 : 0),
            (TcpSocket tcp, SocketOption.OutputQueue) => (StackError.None, tcp.QueuedBytes),
            (TcpSocket tcp, SocketOption.UnsentQueue) => (StackError.None, tcp.UnsentBytes),
            (TcpSocket tcp, SocketOption.PathMtu) => (StackError.None, tcp.PathMtu),
            (TcpSocket tcp, SocketOption.CongestionControl) => (StackError.None, (int)tcp.Info.CongestionControl),
            (TcpSocket tcp, SocketOption.SendBuffer) => (StackError.None, tcp.SendBuffer),
            (TcpSocket, SocketOption.ArrivalTimes or SocketOption.ErrorReports or SocketOption.SegmentSize or SocketOption.MulticastHopLimit or SocketOption.MulticastLoop or SocketOption.MulticastAll or SocketOption.MtuDiscovery or SocketOption.MtuDiscoveryV6 or SocketOption.PacketSizeV6 or SocketOption.DontFragmentV6) => (StackError.NoSuchOption, 0),
            (TcpSocket tcp, _) => (StackError.None, Get(tcp.Options, option)),
            (UdpSocket udp, SocketOption.Error) => (StackError.None, (int)udp.TakeError()),
            (UdpSocket udp, _) => GetUdp(udp.Options, option),
            _ => (StackError.NoSuchOption, 0),
        };
        return error;
    }

    /// <summary>Changes one option in a record.</summary>
    public static StackError Set(ref TcpSocketOptions options, SocketOption option, int value)
    {
        switch (option)
        {
            case SocketOption.NoDelay:
                options = options with { NoDelay = value != 0 };
                break;
            case SocketOption.KeepAlive:
                options = options with { KeepAlive = value != 0 };
                break;
            case SocketOption.KeepAliveIdle when value is >= 1 and <= 32767:
                options = options with { KeepAliveIdle = TimeSpan.FromSeconds(value) };
                break;
            case SocketOption.KeepAliveInterval when value is >= 1 and <= 32767:
                options = options with { KeepAliveInterval = TimeSpan.FromSeconds(value) };
                break;
            case SocketOption.KeepAliveCount when value is >= 1 and <= 127:
                options = options with { KeepAliveCount = value };
                break;
            case SocketOption.UserTimeout when value >= 0:
                options = options with { UserTimeout = TimeSpan.FromMilliseconds(value) };
                break;
            case SocketOption.ReceiveBuffer when value > 0:
                options = options with { ReceiveBuffer = value };
                break;
            case SocketOption.SendBuffer when value > 0:
                options = options with { SendBuffer = value };
                break;
            case SocketOption.Linger:
                options = options with { ResetOnClose = value == 0 };
                break;
            case SocketOption.HopLimit when value is -1 or (>= 1 and <= 255):
                options = options with { HopLimit = (byte)Math.Max(0, value) };
                break;
            case SocketOption.TrafficClass when value is >= 0 and <= 255:
                options = options with { TrafficClass = (byte)(value & ~EcnBits) };
                break;
            case SocketOption.CongestionControl when value is >= (int)CongestionAlgorithm.Cubic and <= (int)CongestionAlgorithm.NewReno:
                options = options with { CongestionControl = (CongestionAlgorithm)value };
                break;
            case SocketOption.FastOpenConnect when value is 0 or 1:
                options = options with { FastOpen = value != 0 };
                break;
            case SocketOption.FastOpenQueue when value >= 0:
                options = options with { FastOpenQueue = value };
                break;
            case SocketOption.MaximumSegment when value is 0 or (>= 88 and <= 32767):
                options = options with { MaxSegment = (ushort)value };
                break;
            case SocketOption.Cork:
                options = options with { Cork = value != 0 };
                break;
            case SocketOption.QuickAck:
                break; // an action, and there is no acknowledgement that waits
            case SocketOption.MaxPacingRate:
                options = options with { MaxPacingRate = (uint)value == uint.MaxValue ? 0 : (uint)value };
                break;
            case SocketOption.WindowClamp:
                options = options with { WindowClamp = value == 0 ? 0 : Math.Max(value, LeastWindowClamp) };
                break;
            case SocketOption.SynRetries when value is >= 1 and <= 127:
                options = options with { SynRetries = (byte)value };
                break;
            case SocketOption.DeferAccept when value is >= 0 and <= 255:
                options = options with { DeferAccept = (byte)value };
                break;
            case SocketOption.FinWait2:
                options = options with { FinWait2 = TimeSpan.FromSeconds(Math.Clamp(value, -1, LongestFinWait2)) };
                break;
            case SocketOption.Broadcast or SocketOption.Error or SocketOption.OutputQueue or SocketOption.UnsentQueue or SocketOption.PathMtu or SocketOption.ArrivalTimes
                or SocketOption.ErrorReports or SocketOption.SegmentSize or SocketOption.MulticastHopLimit or SocketOption.MulticastLoop or SocketOption.MulticastAll or SocketOption.MtuDiscovery
                or SocketOption.MtuDiscoveryV6 or SocketOption.PacketSizeV6 or SocketOption.DontFragmentV6:
                return StackError.NoSuchOption;
            default:
                return StackError.InvalidArgument;
        }

        return StackError.None;
    }

    /// <summary>Reads one option from a record; 0 where the stack's default applies.</summary>
    public static int Get(in TcpSocketOptions options, SocketOption option) => option switch
    {
        SocketOption.NoDelay => options.NoDelay ? 1 : 0,
        SocketOption.KeepAlive => options.KeepAlive ? 1 : 0,
        SocketOption.KeepAliveIdle => (int)options.KeepAliveIdle.TotalSeconds,
        SocketOption.KeepAliveInterval => (int)options.KeepAliveInterval.TotalSeconds,
        SocketOption.KeepAliveCount => options.KeepAliveCount,
        SocketOption.UserTimeout => (int)options.UserTimeout.TotalMilliseconds,
        SocketOption.ReceiveBuffer => options.ReceiveBuffer,
        SocketOption.SendBuffer => options.SendBuffer,
        SocketOption.Linger => options.ResetOnClose ? 0 : -1,
        SocketOption.HopLimit => options.HopLimit,
        SocketOption.TrafficClass => options.TrafficClass,
        SocketOption.CongestionControl => (int)options.CongestionControl,
        SocketOption.FastOpenConnect => options.FastOpen ? 1 : 0,
        SocketOption.FastOpenQueue => options.FastOpenQueue,
        SocketOption.MaximumSegment => options.MaxSegment,
        SocketOption.Cork => options.Cork ? 1 : 0,
        SocketOption.QuickAck => 1,
        SocketOption.MaxPacingRate => options.MaxPacingRate == 0 ? -1 : (int)options.MaxPacingRate,
        SocketOption.WindowClamp => options.WindowClamp,
        SocketOption.SynRetries => options.SynRetries,
        SocketOption.DeferAccept => options.DeferAccept,
        SocketOption.FinWait2 => (int)options.FinWait2.TotalSeconds,
        _ => 0,
    };

    /// <summary>The value of a TCP option as an application reads it: the stack's default where the socket sets none.</summary>
    public static int OrDefault(SocketOption option, int value, in TcpSocketOptions defaults) =>
        value != 0 || option is SocketOption.Linger or SocketOption.Error ? value : Get(defaults, option);

    /// <summary>Changes one option of a UDP socket in a record.</summary>
    public static StackError Set(ref UdpSocketOptions options, SocketOption option, int value)
    {
        switch (option)
        {
            case SocketOption.HopLimit when value is -1 or (>= 1 and <= 255):
                options = options with { HopLimit = (byte)Math.Max(0, value) };
                return StackError.None;
            case SocketOption.TrafficClass when value is >= 0 and <= 255:
                options = options with { TrafficClass = (byte)value };
                return StackError.None;
            case SocketOption.Broadcast:
                options = options with { Broadcast = value != 0 };
                return StackError.None;
            case SocketOption.ArrivalTimes:
                options = options with { ArrivalTimes = value != 0 };
                return StackError.None;
            case SocketOption.ErrorReports:
                options = options with { ErrorReports = value != 0 };
                return StackError.None;
            case SocketOption.MulticastHopLimit when value is >= 0 and <= 255:
                options = options with { MulticastHopLimit = (byte)value };
                return StackError.None;
            case SocketOption.MulticastLoop:
                options = options with { MulticastLoop = value != 0 };
                return StackError.None;
            case SocketOption.MulticastAll:
                options = options with { MulticastAll = value != 0 };
                return StackError.None;
            case SocketOption.SegmentSize when value is >= 0 and <= ushort.MaxValue:
                options = options with { SegmentSize = (ushort)value };
                return StackError.None;
            case SocketOption.MtuDiscovery when value is >= (int)MtuDiscovery.Dont and <= (int)MtuDiscovery.Omit:
                options = options with { MtuDiscovery = (MtuDiscovery)value };
                return StackError.None;
            case SocketOption.MtuDiscoveryV6 when value is >= (int)MtuDiscovery.Dont and <= (int)MtuDiscovery.Omit:
                options = options with { MtuDiscoveryV6 = (MtuDiscovery)value };
                return StackError.None;
            case SocketOption.PacketSizeV6 when value is 0 or >= Ipv6Header.MinimumMtu:
                options = options with { PacketSizeV6 = (ushort)Math.Min(value, ushort.MaxValue) };
                return StackError.None;
            case SocketOption.DontFragmentV6:
                options = options with { DontFragmentV6 = value != 0 };
                return StackError.None;
            case SocketOption.ReceiveBuffer when value > 0:
                options = options with { ReceiveBuffer = value };
                return StackError.None;
            case SocketOption.SendBuffer when value > 0:
                options = options with { SendBuffer = value };
                return StackError.None;
            case SocketOption.HopLimit or SocketOption.TrafficClass or SocketOption.ReceiveBuffer or SocketOption.SendBuffer or SocketOption.SegmentSize
                or SocketOption.MulticastHopLimit or SocketOption.MtuDiscovery or SocketOption.MtuDiscoveryV6 or SocketOption.PacketSizeV6:
                return StackError.InvalidArgument;
            default:
                return StackError.NoSuchOption;
        }
    }

    /// <summary>Reads one option of a UDP socket from a record; a hop limit of 0 is the stack's.</summary>
    public static (StackError Error, int Value) GetUdp(in UdpSocketOptions options, SocketOption option) => option switch
    {
        SocketOption.HopLimit => (StackError.None, options.HopLimit),
        SocketOption.TrafficClass => (StackError.None, options.TrafficClass),
        SocketOption.Broadcast => (StackError.None, options.Broadcast ? 1 : 0),
        SocketOption.ReceiveBuffer => (StackError.None, options.ReceiveBuffer),
        SocketOption.SendBuffer => (StackError.None, options.SendBuffer),
        SocketOption.Error => (StackError.None, 0),
        SocketOption.PathMtu => (StackError.NotConnected, 0),
        _ => (StackError.NoSuchOption, 0),
    };

    private static StackError SetUdp(UdpSocket udp, SocketOption option, int value)
    {
        var options = udp.Options;
        var error = Set(ref options, option, value);
        if (error == StackError.None)
            udp.SetOptions(options);
        return error;
    }
}
