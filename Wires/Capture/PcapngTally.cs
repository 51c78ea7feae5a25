using System.Buffers.Binary;

namespace Tapwire.Wires.Capture;

/// <summary>Counts the packets of a stream of pcapng blocks as it goes by, in pieces of any size, and takes what its end says of dropped ones. It holds no packet.</summary>
public sealed class PcapngTally
{
    /// <summary>Bytes of an interface's statistics: more than this program writes, and others are not read.</summary>
    private const int MostStatistics = 256;

    private readonly byte[] _head = new byte[8];
    private readonly byte[] _statistics = new byte[MostStatistics];
    private int _headLength;
    private int _statisticsLength;
    private long _left;
    private uint _type;

    /// <summary>Whole packets so far.</summary>
    public long Packets { get; private set; }

    /// <summary>Packets that the writer has dropped; null until the stream says so, at its end.</summary>
    public long? Dropped { get; private set; }

    /// <exception cref="InvalidDataException">These are no blocks.</exception>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_left == 0)
            {
                var taken = Math.Min(_head.Length - _headLength, bytes.Length);
                bytes[..taken].CopyTo(_head.AsSpan(_headLength));
                _headLength += taken;
                bytes = bytes[taken..];
                if (_headLength == _head.Length)
                    Begin();
                continue;
            }

            var part = (int)Math.Min(_left, bytes.Length);
            if (_type == Pcapng.InterfaceStatistics && _statisticsLength + part <= MostStatistics)
            {
                bytes[..part].CopyTo(_statistics.AsSpan(_statisticsLength));
                _statisticsLength += part;
            }

            _left -= part;
            bytes = bytes[part..];
            if (_left == 0)
                End();
        }
    }

    private void Begin()
    {
        _headLength = 0;
        _statisticsLength = 0;
        _type = BinaryPrimitives.ReadUInt32LittleEndian(_head);
        var length = BinaryPrimitives.ReadUInt32LittleEndian(_head.AsSpan(4));
        if (length < 12 || length % 4 != 0)
            throw new InvalidDataException($"A block of {length} bytes is none of a pcapng stream.");
        _left = length - 8;
    }

    private void End()
    {
        if (_type == Pcapng.EnhancedPacket)
            Packets++;
        if (_type != Pcapng.InterfaceStatistics)
            return;
        // Interface and time come before the options, the length once more behind them.
        var options = _statistics.AsSpan(0, _statisticsLength);
        options = options.Length >= 16 ? options[12..^4] : default;
        while (options.Length >= 4 && BinaryPrimitives.ReadUInt16LittleEndian(options) is not Pcapng.OptionEnd and var code)
        {
            var length = BinaryPrimitives.ReadUInt16LittleEndian(options[2..]);
            if (options.Length < 4 + Pcapng.Padded(length))
                return;
            if (code == Pcapng.StatisticsDropped && length == sizeof(ulong))
                Dropped = (Dropped ?? 0) + BinaryPrimitives.ReadInt64LittleEndian(options[4..]);
            options = options[(4 + Pcapng.Padded(length))..];
        }
    }
}
