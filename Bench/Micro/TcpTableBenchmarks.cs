using BenchmarkDotNet.Attributes;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Bench.Micro;

/// <summary>The table of connections, asked in an order that no cache foresees.</summary>
public class TcpTableBenchmarks
{
    private const int Lookups = 1024;

    private readonly TcpPair[] _asked = new TcpPair[Lookups];
    private TcpTable _table = null!;
    private TcpConnection _extra = null!;

    [Params(1, 1000, 1_000_000)]
    public int Connections { get; set; }

    [GlobalSetup]
    public void Fill()
    {
        _table = new TcpTable(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        for (var i = 0; i < Connections; i++)
            _table.Add(New(i));
        _extra = New(Connections);
        var random = new Random(1);
        for (var i = 0; i < Lookups; i++)
            _asked[i] = PairOf(random.Next(Connections));
    }

    [Benchmark(OperationsPerInvoke = Lookups)]
    public int Find()
    {
        var found = 0;
        foreach (ref readonly var pair in _asked.AsSpan())
            found += _table.Find(pair) is null ? 0 : 1;
        return found;
    }

    [Benchmark]
    public void AddAndRemove()
    {
        _table.Add(_extra);
        _table.Remove(_extra);
    }

    private static TcpPair PairOf(int number) => new(
        new IpEndpoint(IpAddress.FromV4(0x0A000001), 80), new IpEndpoint(IpAddress.FromV4(0x0A000002 + (uint)(number >> 15)), (ushort)(32768 + (number & 32767))));

    private TcpConnection New(int number)
    {
        var pair = PairOf(number);
        return new TcpConnection(pair, _table.HashOf(pair));
    }
}
