using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires.Udp;

/// <summary>The control messages of a datagram's socket call (cmsg(3), on 64-bit Linux): size of the segments, own address, traffic class.</summary>
internal static class DatagramControl
{
    /// <summary>Room for all messages of one call, either way.</summary>
    public const int Room = 128;

    private const int HeaderLength = 16;
    private const int V4AddressAt = 4;
    private const int V4InfoLength = 12;
    private const int V6InfoLength = 20;

    /// <summary>Has the kernel say all of it with each datagram.</summary>
    /// <param name="sets">Sets an option to 1; a kernel that refuses one does not say that.</param>
    public static void Request(SocketFamily family, Action<int, int> sets)
    {
        // A socket of IPv6 has datagrams over IPv4, too, whose traffic class only their own option tells.
        sets(IPPROTO_IP, IP_RECVTOS);
        if (family == SocketFamily.V4)
        {
            sets(IPPROTO_IP, IP_PKTINFO);
            return;
        }

        sets(IPPROTO_IPV6, IPV6_RECVTCLASS);
        sets(IPPROTO_IPV6, IPV6_RECVPKTINFO);
    }

    /// <summary>Reads what the kernel says of received datagrams.</summary>
    /// <param name="size">Of each datagram, where several have come in one piece; otherwise unchanged.</param>
    public static void Read(ReadOnlySpan<byte> control, ref int size, out IpAddress local, out byte trafficClass)
    {
        (local, trafficClass) = (default, 0);
        while (control.Length >= HeaderLength)
        {
            var length = (int)Math.Min(MemoryMarshal.Read<ulong>(control), (ulong)control.Length);
            if (length < HeaderLength)
                return;
            var (level, type) = (MemoryMarshal.Read<int>(control[8..]), MemoryMarshal.Read<int>(control[12..]));
            var value = control[HeaderLength..length];
            switch (level, type)
            {
                case (SOL_UDP, UDP_GRO) when value.Length >= sizeof(int):
                    size = MemoryMarshal.Read<int>(value);
                    break;
                case (IPPROTO_IP, IP_TOS) when value.Length >= 1:
                    trafficClass = value[0];
                    break;
                case (IPPROTO_IPV6, IPV6_TCLASS) when value.Length >= sizeof(int):
                    trafficClass = (byte)MemoryMarshal.Read<int>(value);
                    break;
                case (IPPROTO_IP, IP_PKTINFO) when value.Length >= V4InfoLength:
                    local = IpAddress.FromBytes(value.Slice(V4AddressAt, 4));
                    break;
                case (IPPROTO_IPV6, IPV6_PKTINFO) when value.Length >= V6InfoLength:
                    local = IpAddress.FromHalves(BinaryPrimitives.ReadUInt64BigEndian(value), BinaryPrimitives.ReadUInt64BigEndian(value[8..]));
                    break;
            }

            control = control[Math.Min(Aligned(length), control.Length)..];
        }
    }

    /// <summary>Writes what the kernel is to do with datagrams.</summary>
    /// <param name="control"><see cref="Room"/> bytes.</param>
    /// <param name="segment">The size of each; 0: it is one.</param>
    /// <returns>The length of all messages; 0: there is nothing to say.</returns>
    public static int Write(Span<byte> control, SocketFamily family, in DatagramPath path, int segment)
    {
        control.Clear();
        var at = 0;
        if (segment > 0)
            MemoryMarshal.Write(Put(control, ref at, SOL_UDP, UDP_SEGMENT, sizeof(ushort)), (ushort)segment);
        if (path.TrafficClass != 0)
        {
            var isV6 = path.Remote.Address.IsV6;
            MemoryMarshal.Write(Put(control, ref at, isV6 ? IPPROTO_IPV6 : IPPROTO_IP, isV6 ? IPV6_TCLASS : IP_TOS, sizeof(int)), (int)path.TrafficClass);
        }

        if (path.Local == default)
            return at;
        if (family == SocketFamily.V6)
            path.Local.CopyTo16(Put(control, ref at, IPPROTO_IPV6, IPV6_PKTINFO, V6InfoLength));
        else
            path.Local.CopyTo(Put(control, ref at, IPPROTO_IP, IP_PKTINFO, V4InfoLength).Slice(V4AddressAt, 4));
        return at;
    }

    private static Span<byte> Put(Span<byte> control, ref int at, int level, int type, int length)
    {
        var message = control[at..];
        MemoryMarshal.Write(message, (ulong)(HeaderLength + length));
        MemoryMarshal.Write(message[8..], level);
        MemoryMarshal.Write(message[12..], type);
        at += Aligned(HeaderLength + length);
        return message.Slice(HeaderLength, length);
    }

    private static int Aligned(int length) => (length + 7) & ~7;
}
