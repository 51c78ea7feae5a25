using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Support;

/// <summary>Changes frames as chance or malice would.</summary>
internal static class Tampering
{
    /// <summary>What up to four changes can add to a frame, in bytes, unless the end of a longer one is put to it.</summary>
    public const int MaxGrowth = 4 * 99;

    /// <summary>A frame with up to four changes: bits, bytes, lengths, or the end of another frame.</summary>
    public static byte[] Mutated(byte[] template, List<byte[]> all, Random random)
    {
        var other = all[random.Next(all.Count)];
        var room = new byte[Math.Max(template.Length, other.Length) + MaxGrowth];
        template.CopyTo(room, 0);
        return room[..Mutate(room, template.Length, other, random)];
    }

    /// <summary>Makes up to four changes where the frame is; most of them in its headers, where they tell.</summary>
    /// <param name="room">Begins with the frame; what is behind it gives the frame room to grow, and is its limit.</param>
    /// <param name="other">Another frame, whose end it may get.</param>
    /// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
    /// <returns>The new length.</returns>
    public static int Mutate(Span<byte> room, int length, ReadOnlySpan<byte> other, Random random, int linkHeader = EthernetHeader.Length)
    {
        for (var changes = random.Next(5); changes > 0 && length > 0; changes--)
        {
            var at = random.Next(3) == 0 ? random.Next(length) : Math.Min(length - 1, random.Next(linkHeader, linkHeader + 60));
            switch (random.Next(7))
            {
                case 0:
                    room[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    room[at] = (byte)random.Next(256);
                    break;
                case 2:
                    room[at] = random.Next(2) == 0 ? (byte)0 : (byte)0xFF;
                    break;
                case 3:
                    length = at;
                    break;
                case 4:
                    var grown = Math.Min(room.Length, length + random.Next(100));
                    room[length..grown].Clear();
                    length = grown;
                    break;
                case 5:
                    var end = other[Math.Min(at, other.Length)..];
                    end = end[..Math.Min(end.Length, room.Length - at)];
                    end.CopyTo(room[at..]);
                    length = at + end.Length;
                    break;
                default:
                    room[at]++;
                    break;
            }
        }

        return length;
    }

    /// <summary>Makes lengths and checksums of a changed frame right, so that what lies behind them is reached.</summary>
    /// <param name="linkHeader">14 on Ethernet, 0 on raw IP.</param>
    public static void Repair(Span<byte> frame, int linkHeader = EthernetHeader.Length)
    {
        if (frame.Length >= linkHeader + Ipv6Header.Length && frame[linkHeader] >> 4 == 6)
        {
            RepairV6(frame[linkHeader..]);
            return;
        }

        if (frame.Length < linkHeader + Ipv4Header.Length || (linkHeader != 0 && BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) != EtherType.Ipv4))
            return;
        var ip = frame[linkHeader..];
        var header = (ip[0] & 15) * 4;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)ip.Length);
        FixIpChecksum(ip);
        if (header < 20 || header + 20 > ip.Length)
            return;
        var transport = ip[header..];
        var offset = ip[9] switch { IpProtocol.Tcp => 16, IpProtocol.Udp => 6, IpProtocol.Icmp => 2, _ => -1 };
        if (offset < 0)
            return;
        transport.Slice(offset, 2).Clear();
        var source = IpAddress.FromBytes(ip[12..16]);
        var destination = IpAddress.FromBytes(ip[16..20]);
        if (ip[9] == IpProtocol.Udp)
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)transport.Length);
        var sum = ip[9] == IpProtocol.Icmp ? 0 : Checksum.PseudoHeader(source, destination, ip[9], transport.Length);
        BinaryPrimitives.WriteUInt16BigEndian(transport[offset..], Checksum.Finish(Checksum.Sum(transport, sum)));
    }

    private static void RepairV6(Span<byte> ip)
    {
        BinaryPrimitives.WriteUInt16BigEndian(ip[Ipv6Field.PayloadLength..], (ushort)(ip.Length - Ipv6Header.Length));
        var chain = Ipv6HeaderChain.Walk(ip);
        var (offset, least) = chain.NextHeader switch { IpProtocol.Tcp => (16, 20), IpProtocol.Udp => (6, 8), IpProtocol.Icmpv6 => (2, 8), _ => (0, int.MaxValue) };
        if (chain.Problem != Ipv6ChainProblem.None || ip.Length - chain.Length < least)
            return;
        var transport = ip[chain.Length..];
        transport.Slice(offset, 2).Clear();
        if (chain.NextHeader == IpProtocol.Udp)
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)transport.Length);
        var sum = Checksum.PseudoHeader(IpAddress.FromBytes(ip[8..24]), IpAddress.FromBytes(ip[24..40]), chain.NextHeader, transport.Length);
        BinaryPrimitives.WriteUInt16BigEndian(transport[offset..], Checksum.Finish(Checksum.Sum(transport, sum)));
    }

    public static void FixIpChecksum(Span<byte> ip)
    {
        var header = (ip[0] & 15) * 4;
        if (header < 20 || header > ip.Length)
            return;
        ip[10..12].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum.Finish(Checksum.Sum(ip[..header])));
    }
}
