using BenchmarkDotNet.Attributes;
using Tapwire.Stack.Buffers;

namespace Tapwire.Bench.Micro;

/// <summary>A header, a segment, a super-frame.</summary>
public class ChecksumBenchmarks
{
    private byte[] _data = [];

    [Params(20, 1460, 65536)]
    public int Length { get; set; }

    [GlobalSetup]
    public void Fill() => new Random(1).NextBytes(_data = new byte[Length]);

    [Benchmark]
    public uint Sum() => Checksum.Sum(_data);
}
