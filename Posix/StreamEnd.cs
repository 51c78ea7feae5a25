using Tapwire.Stack.Buffers;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// The driver's end of a byte stream to a program: a socket pair that an application has the other end of, or a TCP connection of the host's kernel.
/// </summary>
public abstract unsafe class StreamEnd : DriverEnd
{
    /// <summary>The most that one read takes: what fits the largest pooled buffer.</summary>
    public const int MaxRead = 65_536;

    /// <summary>Attempts at a read where bytes are queued: a call that gives none all the same is repeated, but not for ever.</summary>
    protected const int MostTries = 8;

    private const int MaxVectors = 64;

    // Bytes of the chain's first buffer that earlier writes have written.
    private int _headWritten;

    protected StreamEnd(int descriptor, ulong handle)
        : base(descriptor, handle)
    {
    }

    /// <summary>The stream has been reset. The kernel tells that only once, so it is kept here.</summary>
    protected bool IsReset { get; private set; }

    /// <summary>All bytes have been read, and no more can come.</summary>
    protected bool IsFinished { get; private set; }

    /// <summary>
    /// Reads bytes of the application. Looks first how many there are, so that a buffer of fitting size is rented, and only if there are any.
    /// </summary>
    /// <param name="max">The most to take: the caller's credit, above 0. One call takes at most <see cref="MaxRead"/> bytes.</param>
    /// <param name="data">With <see cref="ReadResult.Data"/>: at least one byte, the caller's.</param>
    public virtual ReadResult Read(BufferPool pool, int max, out PacketBuffer? data)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        data = null;
        if (IsReset)
            return ReadResult.Reset;
        // A hang-up is reported once, maybe long before the last byte is read: from then on every call has to look.
        if (!TakeInputNote() && !MayBeHungUp)
            return ReadResult.Empty;

        for (var tries = 0; tries < MostTries; tries++)
        {
            if (!TryDiscard())
                return FailedRead(Errno);
            var isTold = MayBeHungUp && IsWatched;
            var unread = UnreadBytes();
            if (unread == 0)
            {
                var state = MayBeHungUp ? State() : ReadResult.Empty;
                if (state != ReadResult.Empty)
                    NoteInput();
                // Bytes that were written between the look at the queue and the look at the state come before the end. There are none where the end was reported
                // before both.
                if (state is ReadResult.Empty or ReadResult.Reset)
                    return state;
                if (!isTold && UnreadBytes() > 0)
                    continue;
                IsFinished = true;
                return state;
            }

            var take = Math.Min(unread, Math.Min(max, MaxRead));
            var buffer = pool.Rent(take);
            var errno = Receive(buffer, take, leavesMore: take < unread);
            var failed = errno != 0 ? FailedRead(errno) : ReadResult.Data;
            if (buffer.Length > 0)
            {
                data = buffer;
                return ReadResult.Data;
            }

            buffer.Release();
            if (failed != ReadResult.Data)
                return failed;
        }

        ReportAnew();
        return State();
    }

    /// <summary>The connection is reset: the application reads what is queued and then gets ECONNRESET. Closes this end.</summary>
    public abstract void Reset();

    /// <summary>
    /// The state of the application's side, for an owner that has no credit to read. <see cref="ReadResult.Empty"/> means open. <see cref="ReadResult.Closed"/> and
    /// <see cref="ReadResult.EndOfStream"/> say nothing about bytes still to be read.
    /// </summary>
    public ReadResult State()
    {
        if (IsReset)
            return ReadResult.Reset;
        var events = SocketPair.Poll(Descriptor, POLLRDHUP);
        if ((events & POLLERR) != 0 && SocketPair.TakeError(Descriptor) != 0)
        {
            IsReset = true;
            return ReadResult.Reset;
        }

        if ((events & POLLHUP) != 0)
            return ReadResult.Closed;
        return (events & POLLRDHUP) != 0 ? ReadResult.EndOfStream : ReadResult.Empty;
    }

    /// <summary>Makes the buffer small that holds what the program has not read, or as large as usual again. For when memory is short.</summary>
    public virtual void ShrinkBuffer(bool isSmall)
    {
    }

    /// <summary>
    /// Writes a chain of buffers to the application, as far as it takes them, and releases those that are written.
    /// </summary>
    /// <param name="chain">On return the buffers that are left; null if none. The first may be partly written, so the next call must begin with it.</param>
    /// <param name="written">Bytes that this call has written.</param>
    /// <returns><see cref="WriteResult.Closed"/> leaves the rest to the caller.</returns>
    public WriteResult Write(ref PacketBuffer? chain, out int written)
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
                    var errno = Errno;
                    return NoteFailure(errno) ? WriteResult.Closed : WriteFailed(errno);
                }
            }

            written += (int)taken;
            Advance(ref chain, (int)taken);
        }

        return WriteResult.Done;
    }

    /// <summary>The peer has sent its last byte: the application reads what is queued, and then end of file. It may go on writing.</summary>
    public void EndOfStream() => _ = shutdown(Descriptor, SHUT_WR);

    /// <summary>Discards bytes at the head of the receive queue that are not to be delivered, as filler or bytes that were peeked at. False, and errno: some are
    /// still there.</summary>
    protected abstract bool TryDiscard();

    /// <summary>Bytes in the receive queue that have not been delivered.</summary>
    protected abstract int UnreadBytes();

    /// <summary>Moves bytes from the receive queue into a buffer. Calls <see cref="DriverEnd.NoteInput"/> if there may be more.</summary>
    /// <param name="count">The most bytes: at least one, and no more than are unread.</param>
    /// <param name="leavesMore">More than <paramref name="count"/> bytes are unread.</param>
    /// <returns>0 or an errno. The buffer holds what was moved before the error; the rest is still in the queue.</returns>
    protected abstract int Receive(PacketBuffer buffer, int count, bool leavesMore);

    /// <summary>Whether an error of a call means that the stream has been reset.</summary>
    protected abstract bool MeansReset(int errno);

    /// <summary>Keeps a reset that the error of a call shows. True: the stream has been reset.</summary>
    protected bool NoteFailure(int errno) => IsReset |= MeansReset(errno);

    /// <summary>The outcome of a read that has failed though bytes are queued: a reset, or no memory for now.</summary>
    protected ReadResult FailedRead(int errno)
    {
        if (NoteFailure(errno))
            return State();
        ReportAnew();
        return ReadResult.Empty;
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

    /// <summary>Releases the buffers that are written.</summary>
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
