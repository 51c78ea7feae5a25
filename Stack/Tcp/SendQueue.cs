using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// Bytes from the application that the peer has not acknowledged: a chain of buffers to which segments refer.
/// </summary>
internal struct SendQueue
{
    /// <summary>Writes up to this size are copied behind the last one if there is room, so that small writes neither occupy large buffers nor make segments of
    /// many fragments.</summary>
    private const int CopyLimit = 2048;

    /// <summary>Segments up to this size are copied into the buffer of their header.</summary>
    private const int InlineLimit = 256 - BufferPool.HeaderRoom;

    private PacketBuffer? _head;
    private PacketBuffer? _tail;

    /// <summary>Sequence number of the first byte held.</summary>
    public uint Start;

    /// <summary>Bytes held.</summary>
    public int Bytes { get; private set; }

    /// <summary>Capacity of all buffers held.</summary>
    public int Memory { get; private set; }

    /// <summary>Sequence number after the last byte held.</summary>
    public readonly uint End => Start + (uint)Bytes;

    /// <summary>With <see cref="CrowdedBytes"/> held, writes up to this size that find no room are copied to a buffer with room for the next ones. A place in
    /// the chain is found by a walk, which a million single bytes must not make long.</summary>
    private const int TinyWrite = 256;

    private const int CrowdedBytes = 4096;
    private const int SharedCapacity = 16384;

    /// <summary>Takes over a buffer with data.</summary>
    public void Append(PacketBuffer data, BufferPool pool)
    {
        var length = data.Length;
        Bytes += length;
        if (_tail is not null && length <= CopyLimit && length <= _tail.Tailroom)
        {
            data.Span.CopyTo(_tail.Append(length));
            data.Release();
            return;
        }

        if (length <= TinyWrite && Bytes >= CrowdedBytes && data.Capacity < SharedCapacity)
            data = WithRoom(data, pool);
        if (_tail is null)
            _head = data;
        else
            _tail.Next = data;
        _tail = data;
        Memory += data.Capacity;
    }

    private static PacketBuffer WithRoom(PacketBuffer data, BufferPool pool)
    {
        var larger = pool.Rent(SharedCapacity);
        data.Span.CopyTo(larger.Append(data.Length));
        data.Release();
        return larger;
    }

    /// <summary>Releases <paramref name="count"/> bytes from the front, at most <see cref="Bytes"/>.</summary>
    public void Acknowledge(int count, ref SendPlaces places)
    {
        Start += (uint)count;
        Bytes -= count;
        while (count > 0)
        {
            var head = _head!;
            if (count < head.Length)
            {
                head.TrimStart(count);
                places.Next.Trimmed(head, count);
                places.Again.Trimmed(head, count);
                return;
            }

            count -= head.Length;
            Memory -= head.Capacity;
            _head = head.Next;
            if (_head is null)
                _tail = null;
            head.Next = null;
            places.Next.Forget(head);
            places.Again.Forget(head);
            head.Release();
        }
    }

    public void Clear()
    {
        PacketBuffer.ReleaseChain(_head);
        _head = null;
        _tail = null;
        Bytes = 0;
        Memory = 0;
    }

    /// <summary>Makes a buffer with header room whose payload is a range of the queue.</summary>
    /// <param name="length">1 or more.</param>
    /// <param name="place">One of the <see cref="SendPlaces"/> of this queue.</param>
    public PacketBuffer Segment(BufferPool pool, uint sequence, int length, ref SendPlace place)
    {
        Seek(ref place, sequence);
        var copied = length <= InlineLimit || Pieces(place, length) > PacketBuffer.MaxFragments;
        var segment = pool.Rent(copied ? length : 0, BufferPool.HeaderRoom);
        while (length > 0)
        {
            if (place.Offset == place.Buffer!.Length)
            {
                place.Buffer = place.Buffer.Next;
                place.Offset = 0;
                continue;
            }

            var count = Math.Min(length, place.Buffer.Length - place.Offset);
            if (copied)
                place.Buffer.Span.Slice(place.Offset, count).CopyTo(segment.Append(count));
            else
                segment.AddFragment(place.Buffer, place.Offset, count);
            place.Offset += count;
            place.Sequence += (uint)count;
            length -= count;
        }

        return segment;
    }

    private readonly void Seek(ref SendPlace place, uint sequence)
    {
        if (place.Buffer is null || Seq.Gt(place.Sequence, sequence))
            place = new SendPlace { Buffer = _head, Offset = 0, Sequence = Start };
        while (place.Sequence != sequence)
        {
            var left = place.Buffer!.Length - place.Offset;
            var distance = (int)(sequence - place.Sequence);
            if (distance <= left)
            {
                place.Offset += distance;
                place.Sequence = sequence;
                return;
            }

            place.Sequence += (uint)left;
            place.Buffer = place.Buffer.Next;
            place.Offset = 0;
        }
    }

    private static int Pieces(in SendPlace place, int length)
    {
        var pieces = 0;
        var offset = place.Offset;
        for (var buffer = place.Buffer; length > 0 && pieces <= PacketBuffer.MaxFragments; buffer = buffer.Next, offset = 0)
        {
            var count = buffer!.Length - offset;
            length -= count;
            if (count > 0)
                pieces++;
        }

        return pieces;
    }
}

/// <summary>A position in a <see cref="SendQueue"/>: a buffer, an offset into its data, and the sequence number there. Without a buffer, a search starts at the
/// head.</summary>
internal struct SendPlace
{
    public PacketBuffer? Buffer;
    public int Offset;
    public uint Sequence;

    public void Trimmed(PacketBuffer buffer, int count)
    {
        if (Buffer != buffer)
            return;
        if (Offset >= count)
            Offset -= count;
        else
            Buffer = null;
    }

    public void Forget(PacketBuffer buffer)
    {
        if (Buffer == buffer)
            Buffer = null;
    }
}

/// <summary>Two positions that move forward with the segments, so that no segment searches the chain.</summary>
internal struct SendPlaces
{
    /// <summary>The position of new data.</summary>
    public SendPlace Next;

    /// <summary>The position of retransmissions.</summary>
    public SendPlace Again;
}
