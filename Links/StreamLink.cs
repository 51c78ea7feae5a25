using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Tapwire.Wires.Posix;
using static Tapwire.Wires.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The driver's end of an application's TCP socket: a stream pair with nothing but the application's bytes in it.
/// </summary>
/// <remarks>
/// A reset must reach the application as ECONNRESET after what is queued for it. The kernel does that if the driver's end is closed while it has unread
/// bytes in its own receive queue. So one byte is always kept back there: at first one that was put in before the application got its end,
/// later the application's last byte so far, which has been peeked at and delivered. The application's shutdown leaves it there too, and an
/// orderly <see cref="Dispose"/> takes it out first.
/// </remarks>
public sealed unsafe class StreamLink : DriverEnd
{
    /// <summary>Default for the buffers of a pair, per direction. The kernel doubles it to 416 KiB. An application must not go below 208 KiB after
    /// doubling: the kept byte can hold on to a 36 KiB piece, and the kernel reports room only below a quarter.</summary>
    public const int DefaultBufferBytes = 212_992;

    /// <summary>The most that one read takes: what fits the largest pooled buffer.</summary>
    public const int MaxRead = 65_536;

    private const int MaxVectors = 64;
    private const int DiscardPiece = 32_768;

    // The byte at the head of the receive queue has been delivered already.
    private bool _keptDelivered = true;
    private bool _reset;

    // Bytes of the first buffer of the chain given to Write that the application has taken.
    private int _headWritten;

    private StreamLink(int descriptor, ulong handle)
        : base(descriptor, handle)
    {
    }

    /// <summary>Makes a pair.</summary>
    /// <param name="application">The other end, to be passed to the application.</param>
    /// <exception cref="PosixException">No descriptor or memory is left.</exception>
    public static StreamLink Create(out ApplicationEnd application, int bufferBytes = DefaultBufferBytes)
    {
        var (driver, other) = SocketPair.Create(SOCK_STREAM, bufferBytes);
        application = new ApplicationEnd(other);
        byte kept = 0;
        Errors.Check((int)send(other, &kept, 1, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
        // An urgent byte of the application travels in its place among the others.
        SocketPair.SetOption(driver, SO_OOBINLINE, 1);
        return new StreamLink(driver, application.Handle);
    }

    /// <summary>
    /// Reads what the application has written, after looking how much there is: a buffer of fitting size is rented only when there is something.
    /// </summary>
    /// <param name="max">The most to take: the caller's credit, above 0. One call takes at most <see cref="MaxRead"/> bytes.</param>
    /// <param name="data">With <see cref="LinkRead.Data"/>: at least one byte, the caller's.</param>
    public LinkRead Read(BufferPool pool, int max, out PacketBuffer? data)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        data = null;
        if (_reset)
            return LinkRead.Reset;
        // A hang-up is reported once, maybe long before the last byte before it is read: from then on every look counts.
        if (!TakeInputNote() && !MayBeHungUp)
            return LinkRead.Empty;

        while (true)
        {
            var fresh = FreshBytes();
            if (fresh == 0)
            {
                var state = MayBeHungUp ? State() : LinkRead.Empty;
                if (state != LinkRead.Empty)
                    NoteInput();
                // What was written between the look at the queue and the look at the state comes first.
                if (state is LinkRead.Empty or LinkRead.Reset || FreshBytes() == 0)
                    return state;
                continue;
            }

            var take = Math.Min(fresh, Math.Min(max, MaxRead));
            var buffer = pool.Rent(take);
            if (Fill(buffer, take, leavesMore: take < fresh))
            {
                data = buffer;
                return LinkRead.Data;
            }

            buffer.Release();
        }
    }

    /// <summary>
    /// How the application's side stands, whatever is unread: for an owner that has no credit to read. <see cref="LinkRead.Empty"/> means that it is
    /// open; <see cref="LinkRead.Closed"/> and <see cref="LinkRead.EndOfStream"/> say nothing about bytes still to be read.
    /// </summary>
    public LinkRead State()
    {
        if (_reset)
            return LinkRead.Reset;
        var events = SocketPair.Poll(Descriptor, POLLRDHUP);
        if ((events & POLLERR) != 0 && SocketPair.TakeError(Descriptor) != 0)
        {
            _reset = true;
            return LinkRead.Reset;
        }

        if ((events & POLLHUP) != 0)
            return LinkRead.Closed;
        return (events & POLLRDHUP) != 0 ? LinkRead.EndOfStream : LinkRead.Empty;
    }

    /// <summary>
    /// Takes away bytes that the application's library has written so that the descriptor is not writable while connecting: as many of
    /// <paramref name="count"/> as are there.
    /// </summary>
    public void Discard(uint count)
    {
        var scratch = stackalloc byte[DiscardPiece];
        NoteInput();
        while (count > 0 && FreshBytes() is var fresh and > 0)
        {
            if (!_keptDelivered)
            {
                // The byte at the head is kept from now on, as one that has been dealt with.
                _keptDelivered = true;
                count--;
                continue;
            }

            // The byte that was kept goes, the last one discarded is kept in its place.
            var take = (int)Math.Min(Math.Min((uint)fresh, count), DiscardPiece);
            var taken = (int)recv(Descriptor, scratch, (nuint)take, MSG_DONTWAIT);
            if (taken <= 0)
                return;
            count -= (uint)taken;
        }
    }

    /// <summary>
    /// Writes a chain of buffers to the application, as much as it takes, and releases the buffers that are through.
    /// </summary>
    /// <param name="chain">What is left on return; null if nothing. The first one may be partly written: it is to be given again, before all
    /// others.</param>
    /// <param name="written">Bytes taken by this call.</param>
    /// <returns><see cref="LinkWrite.Closed"/> leaves the rest to the caller.</returns>
    public LinkWrite Write(ref PacketBuffer? chain, out int written)
    {
        written = 0;
        var vectors = stackalloc IoVector[MaxVectors];
        while (chain is not null)
        {
            var count = Gather(chain, vectors, out var bytes);
            nint taken = 0;
            if (bytes > 0)
            {
                var message = new MessageHeader { Vectors = vectors, VectorCount = (nuint)count };
                taken = sendmsg(Descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
                if (taken < 0)
                {
                    // A reset the kernel tells only once; Read is to say it too.
                    _reset |= Errno == Errors.ECONNRESET;
                    return WriteFailed(Errno);
                }
            }

            written += (int)taken;
            Advance(ref chain, (int)taken);
        }

        return LinkWrite.Done;
    }

    /// <summary>The peer has sent its last byte: the application reads end of file after what is queued. It may go on writing.</summary>
    public void EndOfStream() => _ = shutdown(Descriptor, SHUT_WR);

    /// <summary>The connection is reset: the application reads what is queued and then gets ECONNRESET; its writes fail with EPIPE. Closes this
    /// end.</summary>
    public void Reset() => CloseDescriptor();

    /// <summary>
    /// Closes this end in order: the application reads what is queued, then end of file. If bytes of the application have not been read, it gets
    /// ECONNRESET instead, since they are lost.
    /// </summary>
    public override void Dispose()
    {
        if (!IsClosed && _keptDelivered && FreshBytes() == 0)
        {
            byte kept;
            _ = recv(Descriptor, &kept, 1, MSG_DONTWAIT);
        }

        base.Dispose();
    }

    /// <summary>Hands the pair over to a listener, once the application has called listen(). This link is closed by that, the pair is not.</summary>
    internal int DetachForListening() => Detach();

    /// <summary>Bytes in the receive queue that have not been delivered.</summary>
    private int FreshBytes()
    {
        int queued;
        if (ioctl(Descriptor, FIONREAD, &queued) != 0)
            return 0;
        return Math.Max(0, queued - (_keptDelivered ? 1 : 0));
    }

    /// <summary>Moves <paramref name="take"/> bytes into the buffer and sees to it that one byte stays in the queue.</summary>
    /// <returns>False if nothing came, after all.</returns>
    private bool Fill(PacketBuffer buffer, int take, bool leavesMore)
    {
        var consume = leavesMore ? take : take - 1;
        var got = Consume(buffer, consume);
        if (leavesMore || got < consume)
        {
            NoteInput();
            return got > 0;
        }

        // The end may have been reported together with these bytes: the next read is to find it.
        if (MayBeHungUp)
            NoteInput();
        return PeekLast(buffer) || got > 0;
    }

    /// <summary>Takes the kept byte, if it has been delivered, and up to <paramref name="count"/> bytes after it out of the queue.</summary>
    private int Consume(PacketBuffer buffer, int count)
    {
        byte kept;
        var vectors = stackalloc IoVector[2];
        var used = 0;
        var skip = _keptDelivered ? 1 : 0;
        if (skip == 1)
            vectors[used++] = new IoVector { Base = &kept, Length = 1 };
        if (count > 0)
            vectors[used++] = new IoVector { Base = buffer.Pointer, Length = (nuint)count };
        if (used == 0)
            return 0;

        var read = (int)readv(Descriptor, vectors, used) - skip;
        if (read < 0)
            return 0;
        _keptDelivered = false;
        buffer.Append(read);
        return read;
    }

    private bool PeekLast(PacketBuffer buffer)
    {
        byte last;
        if (recv(Descriptor, &last, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
            return false;
        buffer.Append(1)[0] = last;
        _keptDelivered = true;
        return true;
    }

    private int Gather(PacketBuffer chain, IoVector* vectors, out long bytes)
    {
        var count = 0;
        var skip = _headWritten;
        bytes = 0;
        for (var buffer = chain; buffer is not null && count < MaxVectors; buffer = buffer.Next)
        {
            Add(buffer.Pointer, buffer.Length, ref bytes);
            for (var i = 0; i < buffer.FragmentCount && count < MaxVectors; i++)
            {
                var start = buffer.GetFragmentPointer(i, out var length);
                Add(start, length, ref bytes);
            }
        }

        return count;

        void Add(byte* start, int length, ref long total)
        {
            var skipped = Math.Min(skip, length);
            skip -= skipped;
            if (length == skipped)
                return;
            vectors[count++] = new IoVector { Base = start + skipped, Length = (nuint)(length - skipped) };
            total += length - skipped;
        }
    }

    /// <summary>Releases the buffers that are through.</summary>
    private void Advance(ref PacketBuffer? chain, int taken)
    {
        _headWritten += taken;
        while (chain is not null && _headWritten >= chain.TotalLength)
        {
            _headWritten -= chain.TotalLength;
            var next = chain.Next;
            chain.Next = null;
            chain.Release();
            chain = next;
        }
    }
}
