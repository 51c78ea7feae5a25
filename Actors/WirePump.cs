using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>What a <see cref="WirePump"/> has come to.</summary>
internal enum PumpState
{
    /// <summary>There may be more: it is to run again.</summary>
    More,

    /// <summary>Nothing left: the source tells when there is something again.</summary>
    Empty,

    /// <summary>The target is full and tells when it has room again. Until then nothing is read.</summary>
    Blocked,
}

/// <summary>Moves frames from one wire to another, a batch at a time. What the target does not take yet stays here, at most a batch.</summary>
internal sealed class WirePump(BufferPool pool, int batch)
{
    private readonly PacketBuffer[] _frames = new PacketBuffer[batch];
    private int _next;
    private int _end;

    /// <summary>Moves at most one batch.</summary>
    /// <exception cref="WireException">A wire has failed. What was read and not written is still here.</exception>
    public PumpState Run(IWire from, IWire to)
    {
        // While frames waited for the target the source may have reported some more.
        var more = _next < _end;
        if (!more)
        {
            _next = _end = 0;
            _end = from.Read(pool, _frames, out more);
        }

        var taken = to.Write(_frames.AsSpan(_next, _end - _next));
        for (var stop = _next + taken; _next < stop; _next++)
            _frames[_next].Release();
        return _next < _end ? PumpState.Blocked : more ? PumpState.More : PumpState.Empty;
    }

    /// <summary>Takes what there is to be read and drops it, with what has waited. Returns the number of frames.</summary>
    public int Drain(IWire from)
    {
        var dropped = Clear();
        bool more;
        do
        {
            var count = from.Read(pool, _frames, out more);
            foreach (var frame in _frames.AsSpan(0, count))
                frame.Release();
            dropped += count;
        }
        while (more);
        return dropped;
    }

    /// <summary>Drops what has waited, and returns the number of frames.</summary>
    public int Clear()
    {
        var dropped = _end - _next;
        for (; _next < _end; _next++)
            _frames[_next].Release();
        return dropped;
    }
}
