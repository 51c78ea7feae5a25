namespace Tapwire.Stack.Ip;

/// <summary>
/// Identifications of packets that may be fragmented. IPv4's: of one pair of addresses and one protocol they do not repeat for 65,536 packets, which shards share among them (RFC 6864, 4.3);
/// and nobody who sees some, of this destination or others, can predict more (RFC 7739): a counter goes through a permutation of 16 bits that is keyed by addresses and protocol.
/// IPv6's, of 32 bits and only in fragments, are a keyed hash of a counter and the addresses (RFC 7739, 5.4): one that repeats is as unlikely as with random numbers.
/// </summary>
/// <param name="hash">The same for all shards.</param>
/// <param name="shard">This one's index, or 0.</param>
/// <param name="shards">Their number, or 1.</param>
internal sealed class IpIdentifications(SipHash hash, int shard, int shards)
{
    private const int Counters = 1024;
    private const int Values = 1 << 16;
    private const int Rounds = 4;

    // Pairs that share a counter have permutations of their own, so that they only shorten each other's period.
    private readonly ushort[] _next = new ushort[Counters];
    private uint _nextV6;

    public ushort Next(IpAddress source, IpAddress destination, byte protocol)
    {
        var pair = hash.Hash((ulong)source.V4 << 32 | destination.V4, protocol, 0);
        ref var next = ref _next[pair % Counters];
        var value = next * shards + shard;
        next = (ushort)((next + 1) % (Values / shards));
        return Permuted((ushort)value, pair);
    }

    /// <summary>The identification of a fragmented IPv6 packet (RFC 8200, 4.5).</summary>
    public uint NextV6(IpAddress source, IpAddress destination)
    {
        var (sourceHigh, sourceLow) = source.Halves;
        var (high, low) = destination.Halves;
        return (uint)hash.Hash(sourceHigh, sourceLow, high, low, ++_nextV6 * (ulong)shards + (ulong)shard);
    }

    /// <summary>A Feistel network, which is a permutation whatever its functions are.</summary>
    private ushort Permuted(ushort value, ulong pair)
    {
        var (left, right) = ((byte)(value >> 8), (byte)value);
        for (var round = 0; round < Rounds; round++)
            (left, right) = (right, (byte)(left ^ (byte)hash.Hash(pair, (ulong)round, right)));
        return (ushort)(left << 8 | right);
    }
}
