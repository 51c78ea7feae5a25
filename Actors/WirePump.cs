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
            Fill(from, out more);

        var taken = to.Write(_frames.AsSpan(_next, _end - _next));
        for (var stop = _next + taken; _next < stop; _next++)
            Release(ref _frames[_next]);
        return _next < _end ? PumpState.Blocked : more ? PumpState.More : PumpState.Empty;
    }

    /// <summary>Takes what there is to be read and drops it, with what has waited. Returns the number of frames.</summary>
    public int Drain(IWire from)
    {
        var dropped = Clear();
        bool more;
        do
        {
            Fill(from, out more);
            dropped += Clear();
        }
        while (more);
        return dropped;
    }

    /// <summary>Drops what has waited, and returns the number of frames.</summary>
    public int Clear()
    {
        var dropped = 0;
        for (; _next < _end; _next++)
        {
            if (_frames[_next] is null)
                continue;
            Release(ref _frames[_next]);
            dropped++;
        }

        return dropped;
    }

    /// <summary>Reads into an empty array. All that a read may fill in is here to be dropped, should it throw in the midst of it.</summary>
    private void Fill(IWire from, out bool more)
    {
        _next = 0;
        _end = _frames.Length;
        _end = from.Read(pool, _frames, out more);
    }

    private static void Release(ref PacketBuffer frame)
    {
        frame.Release();
        frame = null!;
    }
}
