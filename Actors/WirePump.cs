using Tapwire.Stack.Buffers;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>The outcome of a <see cref="WirePump"/> run.</summary>
internal enum PumpState
{
    /// <summary>There may be more frames: the pump must run again.</summary>
    More,

    /// <summary>No frame is left: the source reports new ones.</summary>
    Empty,

    /// <summary>The target is full, and reports when it has room again. Until then nothing is read.</summary>
    Blocked,
}

/// <summary>Moves frames from one wire to another, a batch at a time. Frames that the target does not take stay here, at most a batch.</summary>
internal sealed class WirePump(BufferPool pool, int batch)
{
    /// <summary>Sees each frame that has been read; null: nobody does.</summary>
    public Action<PacketBuffer>? HasRead { get; set; }

    /// <summary>Sees each frame that has been written.</summary>
    public Action<PacketBuffer>? HasWritten { get; set; }

    private readonly PacketBuffer[] _frames = new PacketBuffer[batch];
    private int _next;
    private int _end;

    /// <summary>Moves at most one batch.</summary>
    /// <exception cref="WireException">A wire has failed. Frames read and not written are still here.</exception>
    public PumpState Run(IWire from, IWire to)
    {
        // While frames waited for the target, the source may have reported more.
        var more = _next < _end;
        if (!more)
            Fill(from, out more);

        var taken = to.Write(_frames.AsSpan(_next, _end - _next));
        for (var stop = _next + taken; _next < stop; _next++)
        {
            HasWritten?.Invoke(_frames[_next]);
            Release(ref _frames[_next]);
        }

        return _next < _end ? PumpState.Blocked : more ? PumpState.More : PumpState.Empty;
    }

    /// <summary>Reads and drops all available frames, and those that wait here. Returns the number of frames.</summary>
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

    /// <summary>Drops the waiting frames, and returns their number.</summary>
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

    /// <summary>Reads into an empty array. If the read throws midway, all frames that it filled in are here to be dropped.</summary>
    private void Fill(IWire from, out bool more)
    {
        _next = 0;
        _end = _frames.Length;
        _end = from.Read(pool, _frames, out more);
        if (HasRead is not { } see)
            return;
        for (var i = 0; i < _end; i++)
            see(_frames[i]);
    }

    private static void Release(ref PacketBuffer frame)
    {
        frame.Release();
        frame = null!;
    }
}
