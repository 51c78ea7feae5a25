using BenchmarkDotNet.Attributes;
using Tapwire.Stack.Packets;

namespace Tapwire.Bench.Micro;

/// <summary>The header of an ordinary segment, with timestamps, and of one that reports three holes.</summary>
public class TcpHeaderBenchmarks
{
    private readonly byte[] _plain = new byte[TcpHeader.MaxLength];
    private readonly byte[] _selective = new byte[TcpHeader.MaxLength];
    private readonly byte[] _out = new byte[TcpHeader.MaxLength];
    private TcpHeader _header;

    [GlobalSetup]
    public void Fill()
    {
        _header = new TcpHeader
        {
            SourcePort = 40000, DestinationPort = 80, Sequence = 1, Acknowledgment = 2, Flags = TcpFlags.Ack | TcpFlags.Psh, Window = 65535,
            HasTimestamp = true, TimestampValue = 3, TimestampEcho = 4,
        };
        _header.Emit(_plain);
        var selective = _header;
        selective.SackCount = 3;
        for (var i = 0; i < 3; i++)
            selective.Sacks[i] = new SackBlock((uint)(i * 3000), (uint)(i * 3000 + 1448));
        selective.Emit(_selective);
    }

    [Benchmark]
    public int Parse() => TcpHeader.TryParse(_plain, out _, out var length) == TcpParseResult.Ok ? length : -1;

    [Benchmark]
    public int ParseSelective() => TcpHeader.TryParse(_selective, out _, out var length) == TcpParseResult.Ok ? length : -1;

    [Benchmark]
    public void Emit() => _header.Emit(_out);
}
