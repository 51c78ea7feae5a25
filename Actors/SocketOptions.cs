using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

/// <summary>Reads and writes the options of live sockets.</summary>
internal static class SocketOptions
{
    public static StackError Set(StackSocket socket, SocketOption option, int value) => socket switch
    {
        TcpSocket tcp => SetTcp(tcp, option, value),
        UdpSocket udp => SetUdp(udp, option, value),
        _ => StackError.NoSuchOption,
    };

    public static StackError Get(StackSocket socket, SocketOption option, out int value)
    {
        (var error, value) = socket switch
        {
            TcpSocket tcp => GetTcp(tcp, option),
            UdpSocket udp => GetUdp(udp, option),
            _ => (StackError.NoSuchOption, 0),
        };
        return error;
    }

    private static StackError SetTcp(TcpSocket tcp, SocketOption option, int value)
    {
        switch (option)
        {
            case SocketOption.NoDelay:
                tcp.NoDelay = value != 0;
                break;
            case SocketOption.KeepAlive:
                tcp.KeepAlive = value != 0;
                break;
            case SocketOption.KeepAliveIdle when value is >= 1 and <= 32767:
                tcp.KeepAliveIdle = TimeSpan.FromSeconds(value);
                break;
            case SocketOption.KeepAliveInterval when value is >= 1 and <= 32767:
                tcp.KeepAliveInterval = TimeSpan.FromSeconds(value);
                break;
            case SocketOption.KeepAliveCount when value is >= 1 and <= 127:
                tcp.KeepAliveCount = value;
                break;
            case SocketOption.UserTimeout when value >= 0:
                tcp.UserTimeout = TimeSpan.FromMilliseconds(value);
                break;
            case SocketOption.ReceiveBuffer when value > 0:
                tcp.ReceiveBuffer = value;
                break;
            case SocketOption.SendBuffer when value > 0:
                tcp.SendBuffer = value;
                break;
            case SocketOption.Linger:
                tcp.Linger = value < 0 ? null : TimeSpan.FromSeconds(value);
                break;
            case SocketOption.HopLimit when value is -1 or (>= 1 and <= 255):
                tcp.HopLimit = (byte)Math.Max(0, value);
                break;
            case SocketOption.TrafficClass when value is >= 0 and <= 255:
                tcp.TrafficClass = (byte)value;
                break;
            case SocketOption.Broadcast or SocketOption.Error or SocketOption.MaximumSegment:
                return StackError.NoSuchOption;
            default:
                return StackError.InvalidArgument;
        }

        return StackError.None;
    }

    private static (StackError Error, int Value) GetTcp(TcpSocket tcp, SocketOption option) => option switch
    {
        SocketOption.NoDelay => (StackError.None, tcp.NoDelay ? 1 : 0),
        SocketOption.KeepAlive => (StackError.None, tcp.KeepAlive ? 1 : 0),
        SocketOption.KeepAliveIdle => (StackError.None, (int)tcp.KeepAliveIdle.TotalSeconds),
        SocketOption.KeepAliveInterval => (StackError.None, (int)tcp.KeepAliveInterval.TotalSeconds),
        SocketOption.KeepAliveCount => (StackError.None, tcp.KeepAliveCount),
        SocketOption.UserTimeout => (StackError.None, (int)tcp.UserTimeout.TotalMilliseconds),
        SocketOption.ReceiveBuffer => (StackError.None, tcp.ReceiveBuffer),
        SocketOption.SendBuffer => (StackError.None, tcp.SendBuffer),
        SocketOption.Linger => (StackError.None, tcp.Linger is { } linger ? (int)linger.TotalSeconds : -1),
        SocketOption.HopLimit => (StackError.None, tcp.HopLimit),
        SocketOption.TrafficClass => (StackError.None, tcp.TrafficClass),
        SocketOption.Error => (StackError.None, (int)tcp.Error),
        SocketOption.MaximumSegment => (StackError.None, tcp.MaximumSegment),
        _ => (StackError.NoSuchOption, 0),
    };

    private static StackError SetUdp(UdpSocket udp, SocketOption option, int value)
    {
        switch (option)
        {
            case SocketOption.HopLimit when value is -1 or (>= 1 and <= 255):
                udp.HopLimit = (byte)Math.Max(0, value);
                return StackError.None;
            case SocketOption.TrafficClass when value is >= 0 and <= 255:
                udp.TrafficClass = (byte)value;
                return StackError.None;
            case SocketOption.Broadcast:
                udp.Broadcast = value != 0;
                return StackError.None;
            case SocketOption.HopLimit or SocketOption.TrafficClass:
                return StackError.InvalidArgument;
            default:
                return StackError.NoSuchOption;
        }
    }

    private static (StackError Error, int Value) GetUdp(UdpSocket udp, SocketOption option) => option switch
    {
        SocketOption.HopLimit => (StackError.None, udp.HopLimit),
        SocketOption.TrafficClass => (StackError.None, udp.TrafficClass),
        SocketOption.Broadcast => (StackError.None, udp.Broadcast ? 1 : 0),
        SocketOption.Error => (StackError.None, (int)udp.TakeError()),
        _ => (StackError.NoSuchOption, 0),
    };
}
