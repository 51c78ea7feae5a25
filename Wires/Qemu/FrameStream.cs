using System.Buffers.Binary;

namespace Tapwire.Wires.Qemu;

/// <summary>What <see cref="FrameReader.TryTake"/> has found.</summary>
internal enum FrameStreamState
{
    /// <summary>A frame.</summary>
    Frame,

    /// <summary>The next frame is not complete yet.</summary>
    Incomplete,

    /// <summary>A length that cannot be: where the next frame would begin is not known any more.</summary>
    Broken,
}

/// <summary>QEMU's frames on a stream of bytes: each behind its length in four bytes, in network order (net/stream.c).</summary>
internal static class FrameStream
{
    public const int LengthBytes = 4;

    /// <summary>The longest frame: QEMU's NET_BUFSIZE. It closes a stream on which a longer one is announced, too.</summary>
    public const int MaxFrame = 4096 + 65536;

    /// <summary>Bytes of either direction's buffer: of the longest frame, or some hundred of Ethernet's, with one system call.</summary>
    public const int BufferLength = 256 << 10;
}

/// <summary>Finds the frames in the bytes that have come. Its buffer is all its memory, whatever comes.</summary>
internal sealed class FrameReader
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(FrameStream.BufferLength, pinned: true);
    private int _start;
    private int _end;

    /// <summary>Where the next bytes go, once no complete frame is left; never empty then.</summary>
    public Span<byte> Room
    {
        get
        {
            // What is left is less than one frame, and often nothing.
            _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
            (_start, _end) = (0, _end - _start);
            return _bytes.AsSpan(_end);
        }
    }

    /// <summary>So many bytes have been put into <see cref="Room"/>.</summary>
    public void Filled(int count) => _end += count;

    /// <summary>Another stream begins.</summary>
    public void Reset() => (_start, _end) = (0, 0);

    /// <param name="frame">Valid until the next call.</param>
    public FrameStreamState TryTake(out ReadOnlySpan<byte> frame)
    {
        frame = default;
        var bytes = _bytes.AsSpan(_start, _end - _start);
        if (bytes.Length < FrameStream.LengthBytes)
            return FrameStreamState.Incomplete;
        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        if (length is 0 or > FrameStream.MaxFrame)
            return FrameStreamState.Broken;
        if (bytes.Length - FrameStream.LengthBytes < length)
            return FrameStreamState.Incomplete;
        frame = bytes.Slice(FrameStream.LengthBytes, (int)length);
        _start += FrameStream.LengthBytes + frame.Length;
        return FrameStreamState.Frame;
    }
}

/// <summary>Frames on their way to the machine, each behind its length.</summary>
internal sealed class FrameWriter
{
    private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(FrameStream.BufferLength, pinned: true);
    private int _start;
    private int _end;

    /// <summary>What is to be sent next.</summary>
    public ReadOnlySpan<byte> Waiting => _bytes.AsSpan(_start, _end - _start);

    public bool IsEmpty => _start == _end;

    /// <summary>Room for a frame of that length, up to <see cref="FrameStream.MaxFrame"/> bytes, behind its length; empty: there is none before some of <see cref="Waiting"/> is sent.</summary>
    public Span<byte> Begin(int length)
    {
        if (_bytes.Length - _end < FrameStream.LengthBytes + length)
            return default;
        var frame = _bytes.AsSpan(_end, FrameStream.LengthBytes + length);
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)length);
        _end += frame.Length;
        return frame[FrameStream.LengthBytes..];
    }

    /// <summary>So many bytes of <see cref="Waiting"/> have been sent.</summary>
    public void Sent(int count)
    {
        _start += count;
        if (_start == _end)
            Reset();
    }

    public void Reset() => (_start, _end) = (0, 0);
}
