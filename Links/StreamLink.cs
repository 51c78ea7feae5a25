using Tapwire.Stack.Buffers;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

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
public sealed unsafe class StreamLink : StreamEnd
{
    /// <summary>Default for the buffers of a pair, per direction. The kernel doubles it to 416 KiB. An application must not go below 208 KiB after
    /// doubling: the kept byte can hold on to a 36 KiB piece, and the kernel reports room only below a quarter.</summary>
    public const int DefaultBufferBytes = 212_992;

    /// <summary>Buffer towards the application while memory is short, before the kernel doubles it: one piece of a bulk transfer.</summary>
    private const int SmallBufferBytes = 32_768;

    private const int DiscardPiece = 32_768;

    private bool _isBufferSmall;

    // The byte at the head of the receive queue has been delivered already.
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
    public static StreamLink Create(out ApplicationEnd application, int bufferBytes = DefaultBufferBytes)
    {
        var (driver, other) = SocketPair.Create(SOCK_STREAM, bufferBytes);
        application = new ApplicationEnd(other);
        try
        {
            byte kept = 0;
            Errors.Check((int)send(other, &kept, 1, MSG_DONTWAIT | MSG_NOSIGNAL), "send");
            // An urgent byte of the application travels in its place among the others.
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

    /// <summary>The application has written something that has not been read.</summary>
    public bool HasUnread => UnreadBytes() > 0;

    /// <summary>
    /// Takes away bytes that the application's library has written so that the descriptor is not writable while connecting: as many of
    /// <paramref name="count"/> as are there.
    /// </summary>
    public void Discard(uint count)
    {
        NoteInput();
        _discard = count;
        if (!TryDiscard())
            FailedRead(Errno);
    }

    /// <summary>
    /// The application can write no more: it gets EPIPE. What it has written is still to be read; after that, <see cref="Read"/> says that there is no more.
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
        if (!IsClosed && _keptDelivered && UnreadBytes() == 0)
        {
            byte kept;
            for (var tries = 0; tries < MostTries && recv(Descriptor, &kept, 1, MSG_DONTWAIT) < 0 && !MeansReset(Errno); tries++)
            {
            }
        }

        base.Dispose();
    }

    /// <summary>Hands the pair over to a listener, once the application has called listen(). This link is closed by that, the pair is not.</summary>
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
                // The byte at the head is kept from now on, as one that has been dealt with.
                _keptDelivered = true;
                _discard--;
                continue;
            }

            // The byte that was kept goes, the last one discarded is kept in its place.
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
    /// <remarks>Sees to it that one byte stays in the queue.</remarks>
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

        // The end may have been reported together with these bytes: the next read is to find it.
        if (MayBeHungUp)
            NoteInput();
        return PeekLast(buffer);
    }

    /// <summary>Takes the kept byte, if it has been delivered, and up to <paramref name="count"/> bytes after it out of the queue.</summary>
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
