using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Support;

/// <summary>Changes frames as chance or malice would.</summary>
internal static class Tampering
{
    /// <summary>A frame with up to four changes: bits, bytes, lengths, or the end of another frame.</summary>
    public static byte[] Mutated(byte[] template, List<byte[]> all, Random random)
    {
        var frame = (byte[])template.Clone();
        for (var changes = random.Next(5); changes > 0 && frame.Length > 0; changes--)
        {
            var at = random.Next(3) == 0 ? random.Next(frame.Length) : Math.Min(frame.Length - 1, random.Next(14, 74));
            switch (random.Next(7))
            {
                case 0:
                    frame[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    frame[at] = (byte)random.Next(256);
                    break;
                case 2:
                    frame[at] = random.Next(2) == 0 ? (byte)0 : (byte)0xFF;
                    break;
                case 3:
                    frame = frame[..at];
                    break;
                case 4:
                    frame = [.. frame, .. new byte[random.Next(100)]];
                    break;
                case 5:
                    var other = all[random.Next(all.Count)];
                    frame = [.. frame[..at], .. other[Math.Min(at, other.Length)..]];
                    break;
                default:
                    frame[at]++;
                    break;
            }
        }

        return frame;
    }

    /// <summary>Makes lengths and checksums of a changed frame right, so that what lies behind them is reached.</summary>
    public static void Repair(byte[] frame)
    {
        if (frame.Length < 34 || frame[12] != 8 || frame[13] != 0)
            return;
        var ip = frame.AsSpan(14);
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

    public static void FixIpChecksum(Span<byte> ip)
    {
        var header = (ip[0] & 15) * 4;
        if (header < 20 || header > ip.Length)
            return;
        ip[10..12].Clear();
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum.Finish(Checksum.Sum(ip[..header])));
    }
}
