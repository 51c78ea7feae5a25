using Tapwire.Links.Protocol;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The driver's end of an application's listening TCP socket. Each accepted connection goes over the pair as an <see cref="AcceptRecord"/> with a descriptor. So
/// accept() is one recvmsg, and poll and epoll on the application's descriptor are right. The pair holds a handful of records; other connections stay in the
/// stack's backlog.
/// </summary>
public sealed class AcceptLink : DriverEnd
{
    // An application is not to write here. What it writes all the same is discarded, up to what its buffer holds.
    private const int MaxDrains = 256;

    private AcceptLink(int descriptor, ulong handle)
        : base(descriptor, handle)
    {
    }

    /// <summary>Turns a stream socket into a listener. The stream link is closed by that; this one is to be started.</summary>
    public static AcceptLink From(StreamLink stream)
    {
        var handle = stream.Handle;
        var descriptor = stream.DetachForListening();
        // The smallest the kernel allows: room for about six records.
        SocketPair.SetOption(descriptor, SO_SNDBUF, 1);
        return new AcceptLink(descriptor, handle);
    }

    /// <summary>Passes an accepted connection to the application, with the only descriptor of the application's end.</summary>
    /// <returns><see cref="WriteResult.Full"/> and <see cref="WriteResult.Closed"/> leave the connection's end to the caller. After Full, room is
    /// reported as Writable when the application has taken all but one.</returns>
    public WriteResult TrySend(in AcceptRecord record, ApplicationEnd connection)
    {
        Span<byte> bytes = stackalloc byte[AcceptRecord.Size];
        record.WriteTo(bytes);
        // A stream socket takes so small a message whole or not at all.
        if (SocketPair.SendWithDescriptor(Descriptor, bytes, connection.Descriptor) == AcceptRecord.Size)
        {
            connection.Dispose();
            return WriteResult.Done;
        }

        return WriteFailed(Errno);
    }

    /// <summary>Closes the listener's end: the application's accept() gets the records that are queued, and then end of file.</summary>
    public override unsafe void Dispose()
    {
        if (!IsClosed)
        {
            // Unread bytes, the stream link's kept one at least, would turn end of file into ECONNRESET.
            var scratch = stackalloc byte[4096];
            for (var i = 0; i < MaxDrains && (recv(Descriptor, scratch, 4096, MSG_DONTWAIT) > 0 || QueuedBytes() > 0); i++)
            {
            }
        }

        base.Dispose();
    }
}
