using BenchmarkDotNet.Attributes;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;

namespace Tapwire.Bench.Micro;

/// <summary>An established connection between two stacks, both of them and their buffers counted: from a write to its acknowledgement.</summary>
public class ConnectionBenchmarks
{
    private const int Segment = 1448;
    private const int SuperFrame = 60_000;
    private const int Writes = 256;

    private DirectPair _frames = null!;
    private DirectPair _superFrames = null!;

    [GlobalSetup]
    public void Connect()
    {
        _frames = new DirectPair(DirectPair.Ethernet, new BufferPool());
        _superFrames = new DirectPair(DirectPair.Offloading, new BufferPool());
        _frames.Transfer(64 << 20, Segment);
        _superFrames.Transfer(64 << 20, SuperFrame);
    }

    /// <summary>A segment of 1,448 bytes, in a transfer.</summary>
    [Benchmark(OperationsPerInvoke = Writes)]
    public void SegmentInBulk() => _frames.Transfer(Writes * Segment, Segment);

    /// <summary>60,000 bytes that a device would cut, in a transfer.</summary>
    [Benchmark(OperationsPerInvoke = Writes)]
    public void SuperFrameInBulk() => _superFrames.Transfer(Writes * SuperFrame, SuperFrame);

    /// <summary>A byte there and a byte back, each received, read, written and acknowledged.</summary>
    [Benchmark]
    public void RoundTripOfOneByte() => _frames.RoundTrip();
}
