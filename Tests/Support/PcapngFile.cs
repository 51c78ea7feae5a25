using System.Buffers.Binary;
using System.Text;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>A capture as a spec reads it: every length is checked, and nothing may be left over.</summary>
internal sealed class PcapngFile
{
    public List<(ushort LinkType, uint SnapLength, string Name, string Text, byte Resolution)> Interfaces { get; } = [];

    public List<CapturedPacket> Packets { get; } = [];

    /// <summary>By interface: captured, dropped.</summary>
    public Dictionary<uint, (ulong Received, ulong Dropped)> Statistics { get; } = [];

    public string Application { get; private set; } = "";

    public static PcapngFile Read(ReadOnlySpan<byte> bytes)
    {
        var file = new PcapngFile();
        while (bytes.Length > 0)
        {
            var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            Assert.True(length >= 12 && length % 4 == 0 && length <= bytes.Length, $"A block of {length} bytes, {bytes.Length} are left.");
            Assert.Equal((uint)length, BinaryPrimitives.ReadUInt32LittleEndian(bytes[(length - 4)..]));
            file.Take(BinaryPrimitives.ReadUInt32LittleEndian(bytes), bytes[8..(length - 4)]);
            bytes = bytes[length..];
        }

        return file;
    }

    private void Take(uint type, ReadOnlySpan<byte> body)
    {
        switch (type)
        {
            case 0x0A0D0D0A:
                Assert.Equal(0x1A2B3C4Du, BinaryPrimitives.ReadUInt32LittleEndian(body));
                Assert.Equal((1, 0), (BinaryPrimitives.ReadUInt16LittleEndian(body[4..]), BinaryPrimitives.ReadUInt16LittleEndian(body[6..])));
                Application = Encoding.UTF8.GetString(OptionsOf(body[16..])[4]);
                break;
            case 1:
                var described = OptionsOf(body[8..]);
                Interfaces.Add((BinaryPrimitives.ReadUInt16LittleEndian(body), BinaryPrimitives.ReadUInt32LittleEndian(body[4..]), Encoding.UTF8.GetString(described[2]), Encoding.UTF8.GetString(described[3]), described[9][0]));
                break;
            case 5:
                var counted = OptionsOf(body[12..]);
                Statistics.Add(BinaryPrimitives.ReadUInt32LittleEndian(body), (BinaryPrimitives.ReadUInt64LittleEndian(counted[4]), BinaryPrimitives.ReadUInt64LittleEndian(counted[5])));
                break;
            case 6:
                var captured = (int)BinaryPrimitives.ReadUInt32LittleEndian(body[12..]);
                var options = OptionsOf(body[(20 + ((captured + 3) & ~3))..]);
                var id = BinaryPrimitives.ReadUInt32LittleEndian(body);
                Assert.True(id < Interfaces.Count, $"A packet of the interface {id}, which is not described.");
                Packets.Add(new CapturedPacket(id, ((long)BinaryPrimitives.ReadUInt32LittleEndian(body[4..]) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(body[8..]),
                    body.Slice(20, captured).ToArray(), (int)BinaryPrimitives.ReadUInt32LittleEndian(body[16..]), BinaryPrimitives.ReadUInt32LittleEndian(options[2]) == 1,
                    options.TryGetValue(1, out var comment) ? Encoding.UTF8.GetString(comment) : null));
                break;
            default:
                Assert.Fail($"A block of type {type}.");
                break;
        }
    }

    private static Dictionary<ushort, byte[]> OptionsOf(ReadOnlySpan<byte> bytes)
    {
        var options = new Dictionary<ushort, byte[]>();
        while (true)
        {
            var (code, length) = (BinaryPrimitives.ReadUInt16LittleEndian(bytes), BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]));
            if (code == 0)
            {
                Assert.Equal((0, 4), (length, bytes.Length));
                return options;
            }

            options.Add(code, bytes.Slice(4, length).ToArray());
            foreach (var padding in bytes[(4 + length)..(4 + ((length + 3) & ~3))])
                Assert.Equal(0, padding);
            bytes = bytes[(4 + ((length + 3) & ~3))..];
        }
    }
}

/// <param name="Time">Nanoseconds since 1970.</param>
internal sealed record CapturedPacket(uint Interface, long Time, byte[] Data, int Original, bool IsInbound, string? Comment);
