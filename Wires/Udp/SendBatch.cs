using Tapwire.Posix;

namespace Tapwire.Wires.Udp;

/// <summary>
/// The datagrams that are to be sent, one behind the other in one piece of memory, where the engine seals them. Those of one size and one way make a run, which the kernel gets with one call and cuts
/// (UDP_SEGMENT). What the socket has no room for stays here, and nothing more is taken until it has gone.
/// </summary>
internal sealed class SendBatch(IDatagramPort port) : IDatagramSink
{
    /// <summary>The largest datagram of IPv4, and so the most bytes of a run.</summary>
    private const int MaxRun = 65507;

    // Two runs, so that a full-sized super-frame, whose last segments make a second run, needs one round.
    private const int Capacity = 2 * 65536;

    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(Capacity, pinned: true);
    private readonly List<Run> _runs = [];
    private int _end;
    private int _sent;
    private DatagramPath _path;
    private int _length;

    /// <summary>The socket was full, and datagrams wait for it.</summary>
    public bool IsBlocked { get; private set; }

    public Span<byte> Begin(in DatagramPath path, int length)
    {
        if (_end + length > Capacity)
            Flush();
        if (_end + length > Capacity)
            return default;
        (_path, _length) = (path, length);
        return _bytes.AsSpan(_end, length);
    }

    public void End()
    {
        var last = _runs.Count - 1;
        if (last >= _sent && _runs[last] is var run && run.Takes(_path, _length))
            _runs[last] = run with { Length = run.Length + _length, IsClosed = _length < run.Size };
        else
            _runs.Add(new Run(_path, _end, _length, _length, IsClosed: false));
        _end += _length;
    }

    /// <summary>Sends what is here.</summary>
    /// <returns>False: the socket is full; it reports when it has room.</returns>
    public bool Flush()
    {
        while (_sent < _runs.Count)
        {
            var run = _runs[_sent];
            if (!port.TrySend(run.Path, _bytes.AsSpan(run.Start, run.Length), run.Size))
            {
                IsBlocked = true;
                return false;
            }

            _sent++;
        }

        _runs.Clear();
        (_end, _sent, IsBlocked) = (0, 0, false);
        return true;
    }

    private readonly record struct Run(DatagramPath Path, int Start, int Length, int Size, bool IsClosed)
    {
        public bool Takes(in DatagramPath path, int length) =>
            !IsClosed && length <= Size && Path == path && Length + length <= MaxRun && Length / Size < Libc.UdpMaxSegments;
    }
}
