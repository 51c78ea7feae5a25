using Tapwire.Stack.Buffers;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The driver's end of an application's TCP socket: a stream pair with nothing but the application's bytes in it.
/// </summary>
/// <remarks>
/// A reset must reach the application as ECONNRESET, behind the bytes that are queued for it. The kernel does that when the driver's end is closed with unread
/// bytes in its receive queue. So one byte is always kept there. At first it is one that was put in before the application got its end; later it is the
/// application's last byte so far, which was peeked at and delivered. It stays when the application shuts down its side. An orderly <see cref="Dispose"/> takes
/// it out first.
/// </remarks>
public sealed unsafe class StreamLink : StreamEnd
{
    /// <summary>Buffer towards the application, before the kernel doubles it to 208 KiB, which is its own default, so that nothing has to be set. More is slower: bytes would leave the
    /// caches before they are read.</summary>
    public const int DefaultBufferBytes = 106_496;

    /// <summary>
    /// Buffer from the application, before the kernel doubles it to 288 KiB. An application must not go below 264 KiB: the kernel reports room, and wakes a writer, only when
    /// less than a quarter is taken, and the kept byte can hold on to a whole piece, which has 36 KiB if it was written and 64 KiB after sendfile or splice.
    /// </summary>
    private const int ApplicationBufferBytes = 147_456;

    /// <summary>Buffer towards the application while memory is short, before the kernel doubles it: one piece of a bulk transfer.</summary>
    private const int SmallBufferBytes = 32_768;

    private const int DiscardPiece = 32_768;

    private bool _isBufferSmall;

    // The byte at the head of the receive queue is the kept one: it has been delivered.
    private bool _keptDelivered = true;

    // Bytes still to be discarded, before all others.
    private uint _discard;

    private StreamLink(int descriptor, ulong handle)
        : base(descriptor, handle)
    {
    }

    /// <summary>Makes a pair.</summary>
    /// <param name="application">The other end, to be passed to the application.</param>
    /// <exception cref="PosixException">No descriptor or memory is left.</exception>
    public static StreamLink Create(out ApplicationEnd application)
    {
        var (driver, other) = SocketPair.Create(SOCK_STREAM, DefaultBufferBytes, ApplicationBufferBytes);
        application = new ApplicationEnd(other);
        try
        {
            byte kept = 0;
            Errors.Check((int)send(other, &kept, 1, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
            // An urgent byte is read in line, in its place among the others.
            SocketPair.SetOption(driver, SO_OOBINLINE, 1);
            return new StreamLink(driver, application.Handle);
        }
        catch (PosixException)
        {
            application.Dispose();
            Close(driver);
            throw;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Bytes beyond a smaller size stay; the kernel takes more only when most of them have been read.</remarks>
    public override void ShrinkBuffer(bool isSmall)
    {
        if (isSmall == _isBufferSmall)
            return;
        _isBufferSmall = isSmall;
        SocketPair.SetOption(Descriptor, SO_SNDBUF, isSmall ? SmallBufferBytes : DefaultBufferBytes);
    }

    /// <summary>Bytes that the application has written and that have not been read.</summary>
    public int Unread => UnreadBytes();

    /// <summary>The application has written something that has not been read.</summary>
    public bool HasUnread => UnreadBytes() > 0;

    /// <summary>
    /// Discards the filler that the application's library has written, so that the descriptor was not writable while connecting: as many of
    /// <paramref name="count"/> bytes as are there.
    /// </summary>
    public void Discard(uint count)
    {
        NoteInput();
        _discard = count;
        if (!TryDiscard())
            FailedRead(Errno);
    }

    /// <summary>
    /// The application can write no more: it gets EPIPE. Bytes that it has written can still be read; after them <see cref="StreamEnd.Read"/> returns the end.
    /// </summary>
    public void EndOfInput()
    {
        _ = shutdown(Descriptor, SHUT_RD);
        NoteInput();
    }

    /// <summary>The connection is reset: the application reads what is queued and then gets ECONNRESET; its writes fail with EPIPE. Closes this
    /// end.</summary>
    public override void Reset() => CloseDescriptor();

    /// <summary>
    /// Closes this end in order: the application reads what is queued, then end of file. If bytes of the application have not been read, it gets
    /// ECONNRESET instead, since they are lost.
    /// </summary>
    public override void Dispose()
    {
        if (!IsClosed && _keptDelivered && (IsFinished || UnreadBytes() == 0))
        {
            byte kept;
            for (var tries = 0; tries < MostTries && recv(Descriptor, &kept, 1, MSG_DONTWAIT) < 0 && !MeansReset(Errno); tries++)
            {
            }
        }

        base.Dispose();
    }

    /// <summary>Gives up the descriptor for a listener, once the application has called listen(). Closes this link, not the pair.</summary>
    internal int DetachForListening() => Detach();

    protected override bool MeansReset(int errno) => errno == Errors.ECONNRESET;

    protected override bool TryDiscard()
    {
        if (_discard == 0)
            return true;
        var scratch = stackalloc byte[DiscardPiece];
        while (_discard > 0 && UnreadBytes() is var unread and > 0)
        {
            if (!_keptDelivered)
            {
                // The byte at the head is filler: from now on it is the kept one.
                _keptDelivered = true;
                _discard--;
                continue;
            }

            // The read takes the kept byte and all but the last of these: the last becomes the kept one.
            var take = (int)Math.Min(Math.Min((uint)unread, _discard), DiscardPiece);
            var taken = (int)recv(Descriptor, scratch, (nuint)take, MSG_DONTWAIT);
            if (taken < 0)
                return false;
            if (taken == 0)
                break;
            _discard -= (uint)taken;
        }

        _discard = 0;
        return true;
    }

    protected override int UnreadBytes() => Math.Max(0, QueuedBytes() - (_keptDelivered ? 1 : 0));

    /// <inheritdoc/>
    /// <remarks>Leaves one byte in the queue.</remarks>
    protected override int Receive(PacketBuffer buffer, int count, bool leavesMore)
    {
        var consume = leavesMore ? count : count - 1;
        var errno = Consume(buffer, consume);
        if (errno != 0)
            return errno;
        if (leavesMore || buffer.Length < consume)
        {
            NoteInput();
            return 0;
        }

        // The end may have been reported together with these bytes, and no other report will come: the next read finds it.
        if (MayBeHungUp)
            NoteInput();
        return PeekLast(buffer);
    }

    /// <summary>Takes the kept byte out of the queue, if there is one, and up to <paramref name="count"/> bytes after it.</summary>
    /// <returns>0 or an errno.</returns>
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

        var read = (int)readv(Descriptor, vectors, used);
        if (read < 0)
            return Errno;
        if (read < skip)
            return 0;
        _keptDelivered = false;
        buffer.Append(read - skip);
        return 0;
    }

    /// <returns>0 or an errno.</returns>
    private int PeekLast(PacketBuffer buffer)
    {
        byte last;
        var read = recv(Descriptor, &last, 1, MSG_PEEK | MSG_DONTWAIT);
        if (read != 1)
            return read < 0 ? Errno : 0;
        buffer.Append(1)[0] = last;
        _keptDelivered = true;
        return 0;
    }
}
