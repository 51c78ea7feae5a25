using Tapwire.Links.Protocol;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The driver's end of an application's UDP socket: a SOCK_SEQPACKET pair. Like a datagram pair it keeps boundaries; unlike one it shows that the application
/// has closed. Every message begins with a <see cref="DatagramHeader"/>.
/// </summary>
public sealed unsafe class DatagramLink : DriverEnd
{
    /// <summary>Default for the buffers of a pair, per direction; the kernel doubles it. It must exceed the largest message.</summary>
    public const int DefaultBufferBytes = 212_992;

    // Room for most datagrams. The rest of a longer one is read into the overflow buffer below.
    private const int FirstRead = 2048;

    // One byte more than the longest datagram, so that a longer message is noticed.
    private const int Longest = DatagramExtension.Size + DatagramHeader.MaxPayload + 1;

    /// <summary>Datagrams that may be written as one message (Linux: UDP_GRO_CNT_MAX).</summary>
    public const int MaxMerged = 64;

    // An application that sends this many malformed messages in a row does not speak this protocol.
    private const int MaxMalformed = 64;

    [ThreadStatic]
    private static byte[]? t_overflow;

    // The last read has found something, so that the next one may well find nothing. Otherwise a read that finds nothing was called for by a report, and asks
    // for another.
    private bool _isReading;

    private DatagramLink(int descriptor, ulong handle)
        : base(descriptor, handle)
    {
    }

    /// <summary>Messages of the application that were shorter than a header, longer than a datagram can be, or for an unknown address family.</summary>
    public long Malformed { get; private set; }

    /// <summary>Makes a pair.</summary>
    /// <param name="application">The other end, to be passed to the application.</param>
    /// <exception cref="PosixException">No descriptor or memory is left.</exception>
    public static DatagramLink Create(out ApplicationEnd application, int bufferBytes = DefaultBufferBytes)
    {
        var (driver, other) = SocketPair.Create(SOCK_SEQPACKET, bufferBytes, bufferBytes);
        application = new ApplicationEnd(other);
        return new DatagramLink(driver, application.Handle);
    }

    /// <summary>Reads the application's next datagram.</summary>
    /// <param name="headroom">Bytes to leave free before the payload.</param>
    /// <param name="payload">With <see cref="ReadResult.Data"/>: 0 to 65,535 bytes, the caller's.</param>
    /// <param name="to">The destination, or <see cref="Sockaddr.None"/> for the connected peer.</param>
    /// <param name="extension">What the application asks for this datagram; <c>default</c>: nothing.</param>
    /// <returns>Data, Empty or Closed.</returns>
    public ReadResult Read(BufferPool pool, int headroom, out PacketBuffer? payload, out Sockaddr to, out DatagramExtension extension)
    {
        payload = null;
        to = Sockaddr.None;
        extension = default;
        if (!TakeInputNote())
            return ReadResult.Empty;

        var header = stackalloc byte[DatagramHeader.Size];
        for (var malformed = 0; malformed < MaxMalformed; malformed++)
        {
            var buffer = pool.Rent(FirstRead - headroom, headroom);
            var length = Receive(header, buffer, out var overflow);
            if (length < 0 || (length == 0 && IsHungUp()))
            {
                var errno = length < 0 ? Errno : 0;
                buffer.Release();
                if (errno is Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM)
                {
                    if (errno != Errors.EAGAIN || !_isReading)
                        ReportAnew();
                    _isReading = false;
                    return ReadResult.Empty;
                }

                NoteInput();
                return ReadResult.Closed;
            }

            NoteInput();
            _isReading = true;
            length -= DatagramHeader.Size;
            var before = length >= 0 && DatagramHeader.TakeExtended(new Span<byte>(header, DatagramHeader.Size)) ? DatagramExtension.Size : 0;
            if (length >= before && length <= before + DatagramHeader.MaxPayload && Sockaddr.TryRead(new ReadOnlySpan<byte>(header, DatagramHeader.Size), out to))
            {
                payload = Complete(pool, headroom, buffer, overflow, length);
                if (before > 0)
                {
                    extension = DatagramExtension.Read(payload.Span);
                    payload.TrimStart(before);
                }

                return ReadResult.Data;
            }

            buffer.Release();
            Malformed++;
        }

        return ReadResult.Closed;
    }

    /// <summary>The application may have written what no report has told yet: the next read looks.</summary>
    public void ExpectInput() => NoteInput();

    /// <summary>Reads the application's next datagram, and ignores what it asks for it.</summary>
    public ReadResult Read(BufferPool pool, int headroom, out PacketBuffer? payload, out Sockaddr to) => Read(pool, headroom, out payload, out to, out _);

    /// <summary>Writes the application a datagram. The payload stays the caller's, whatever the result.</summary>
    /// <param name="payload">Up to 65,535 bytes, fragments included.</param>
    public WriteResult Write(PacketBuffer payload, Sockaddr from) => Write([payload], from, default);

    /// <summary>Writes the application several datagrams as one. The payloads stay the caller's, whatever the result.</summary>
    /// <param name="payloads">1..<see cref="MaxMerged"/>, together up to 65,535 bytes.</param>
    /// <param name="extension">Written if it has parts.</param>
    public WriteResult Write(ReadOnlySpan<PacketBuffer> payloads, Sockaddr from, in DatagramExtension extension)
    {
        var header = stackalloc byte[DatagramHeader.Size + DatagramExtension.Size];
        from.WriteTo(new Span<byte>(header, DatagramHeader.Size));
        var count = 1;
        foreach (var payload in payloads)
            count += 1 + payload.FragmentCount;
        var vectors = stackalloc IoVector[count];
        vectors[0] = new IoVector { Base = header, Length = (nuint)Extend(header, extension) };
        count = 1;
        foreach (var payload in payloads)
        {
            vectors[count++] = new IoVector { Base = payload.Pointer, Length = (nuint)payload.Length };
            for (var i = 0; i < payload.FragmentCount; i++)
            {
                var start = payload.GetFragmentPointer(i, out var length);
                vectors[count++] = new IoVector { Base = start, Length = (nuint)length };
            }
        }

        return Send(vectors, count);
    }

    /// <summary>Tells the application a pending error of its socket, such as ECONNREFUSED after an ICMP port unreachable message.</summary>
    public WriteResult WriteError(int errno) => WriteError(errno, default, default);

    /// <param name="extension">What is known of the error, if it has parts.</param>
    /// <param name="payload">What was quoted of the datagram.</param>
    public WriteResult WriteError(int errno, in DatagramExtension extension, ReadOnlyMemory<byte> payload)
    {
        var header = stackalloc byte[DatagramHeader.Size + DatagramExtension.Size];
        DatagramHeader.WriteError(new Span<byte>(header, DatagramHeader.Size), errno);
        var vectors = stackalloc IoVector[2];
        vectors[0] = new IoVector { Base = header, Length = (nuint)Extend(header, extension) };
        fixed (byte* start = payload.Span)
        {
            vectors[1] = new IoVector { Base = start, Length = (nuint)payload.Length };
            return Send(vectors, 2);
        }
    }

    /// <summary>Writes the extension, if it has parts, and returns the length of header and extension.</summary>
    private static int Extend(byte* header, in DatagramExtension extension)
    {
        if (extension.Parts == DatagramParts.None)
            return DatagramHeader.Size;
        DatagramHeader.Extend(new Span<byte>(header, DatagramHeader.Size));
        extension.WriteTo(new Span<byte>(header + DatagramHeader.Size, DatagramExtension.Size));
        return DatagramHeader.Size + DatagramExtension.Size;
    }

    private WriteResult Send(IoVector* vectors, int count)
    {
        var message = new MessageHeader { Vectors = vectors, VectorCount = (nuint)count };
        if (sendmsg(Descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return WriteResult.Done;
        return WriteFailed(Errno);
    }

    /// <summary>Reads one message into header, buffer and overflow. Returns the length of the whole, negative if the call has failed.</summary>
    private int Receive(byte* header, PacketBuffer buffer, out byte[] overflow)
    {
        overflow = t_overflow ??= GC.AllocateUninitializedArray<byte>(Longest, pinned: true);
        var vectors = stackalloc IoVector[3];
        vectors[0] = new IoVector { Base = header, Length = DatagramHeader.Size };
        vectors[1] = new IoVector { Base = buffer.Pointer, Length = (nuint)buffer.Tailroom };
        fixed (byte* rest = overflow)
        {
            vectors[2] = new IoVector { Base = rest, Length = (nuint)(Longest - buffer.Tailroom) };
            return (int)readv(Descriptor, vectors, 3);
        }
    }

    private static PacketBuffer Complete(BufferPool pool, int headroom, PacketBuffer first, byte[] overflow, int length)
    {
        var inFirst = Math.Min(length, first.Tailroom);
        first.Append(inFirst);
        if (length == inFirst)
            return first;

        var whole = pool.Rent(length, headroom);
        first.Span.CopyTo(whole.Append(inFirst));
        overflow.AsSpan(0, length - inFirst).CopyTo(whole.Append(length - inFirst));
        first.Release();
        return whole;
    }
}
