using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Sim;

internal static class SimChecksum
{
    /// <summary>Writes the checksum of a TCP segment into it.</summary>
    public static void Fill(Span<byte> segment, IpAddress source, IpAddress destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpHeader.ChecksumOffset..], 0);
        var sum = Checksum.Sum(segment, Checksum.PseudoHeader(source, destination, 6, segment.Length));
        BinaryPrimitives.WriteUInt16BigEndian(segment[TcpHeader.ChecksumOffset..], Checksum.Finish(sum));
    }
}
