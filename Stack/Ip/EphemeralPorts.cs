namespace Tapwire.Stack.Ip;

/// <summary>
/// Chooses local ports that cannot be guessed and that are not used again soon: double-hash port selection (RFC 6056, 3.3.4). There is one for each transport
/// protocol.
/// </summary>
/// <param name="shard">Chooses only its ports; null: all.</param>
internal sealed class EphemeralPorts(KeyedRandom random, StackShard? shard = null)
{
    /// <summary>The range Linux uses (net.ipv4.ip_local_port_range): it leaves the registered ports below to servers.</summary>
    public const ushort First = 32768;

    public const ushort Last = 60999;

    private const int Range = Last - First + 1;

    /// <summary>Number of counters. The more there are, the less one destination's connections tell about another's (RFC 6056 suggests 1024 for busy
    /// hosts).</summary>
    private const int Counters = 1024;

    private readonly SipHash _offset = random.NextHash();
    private readonly SipHash _index = random.NextHash();
    private ushort[]? _counters;

    /// <summary>The ports to try for a connection, in order. Each comes once; the sequence ends after the whole range.</summary>
    /// <param name="remote">Unspecified with port 0 for a socket that is bound before it has a peer.</param>
    public Candidates For(IpAddress local, IpEndpoint remote)
    {
        var (localHigh, localLow) = local.Halves;
        var (remoteHigh, remoteLow) = remote.Address.Halves;
        var offset = _offset.Hash(localHigh, localLow, remoteHigh, remoteLow, remote.Port);
        var index = (int)(_index.Hash(localHigh, localLow, remoteHigh, remoteLow, remote.Port) % Counters);
        _counters ??= Seed();
        return new Candidates(ref _counters[index], offset, shard);
    }

    private ushort[] Seed()
    {
        var counters = new ushort[Counters];
        foreach (ref var counter in counters.AsSpan())
            counter = (ushort)random.NextUInt32();
        return counters;
    }

    /// <summary>A run through the range from a position that depends on the connection.</summary>
    public ref struct Candidates
    {
        private readonly ref ushort _counter;
        private readonly ulong _offset;
        private readonly StackShard? _shard;
        private int _left = Range;

        internal Candidates(ref ushort counter, ulong offset, StackShard? shard)
        {
            _counter = ref counter;
            _offset = offset;
            _shard = shard;
        }

        public bool TryNext(out ushort port)
        {
            do
            {
                _counter = (ushort)((_counter + 1) % Range);
                port = (ushort)(First + (_offset % Range + _counter) % Range);
                if (_left-- <= 0)
                    return false;
            }
            while (_shard is not null && !_shard.Has(port));
            return true;
        }
    }
}
