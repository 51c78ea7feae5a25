using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Proxy;

/// <summary>
/// A TCP connection of the host's kernel, accepted or opened. It is to programs of the host what a stream link is to applications.
/// </summary>
public sealed unsafe class HostStream : StreamEnd
{
    // Bytes at the head of the receive queue that the owner has taken after a peek, and that are still to be discarded.
    private int _discard;

    // Bytes that the owner reads before those of the peer.
    private ReadOnlyMemory<byte> _first;

    internal HostStream(int descriptor)
        : base(descriptor, SocketPair.Cookie(descriptor))
    {
        Enable(IPPROTO_TCP, TCP_NODELAY);
        Enable(SOL_SOCKET, SO_KEEPALIVE);
        // An urgent byte is read in line, in its place among the others.
        Enable(SOL_SOCKET, SO_OOBINLINE);

        void Enable(int level, int name)
        {
            var on = 1;
            _ = setsockopt(descriptor, level, name, &on, sizeof(int));
        }
    }

    /// <summary>The host's end of the connection.</summary>
    public IpEndpoint Local => HostAddress.Local(Descriptor);

    /// <summary>The peer's end; the default if the connection is gone.</summary>
    public IpEndpoint Remote => HostAddress.Remote(Descriptor);

    /// <summary>Begins to connect. Once the descriptor is writable, <see cref="FinishConnecting"/> returns the outcome.</summary>
    /// <param name="stream">With None: the caller's.</param>
    public static StackError Connect(IpEndpoint remote, out HostStream? stream)
    {
        stream = null;
        try
        {
            var made = new HostStream(HostAddress.Open(remote.Address, SOCK_STREAM));
            var error = HostAddress.Connect(made.Descriptor, remote);
            if (error is 0 or Errors.EINPROGRESS or Errors.EALREADY)
            {
                stream = made;
                return StackError.None;
            }

            made.Dispose();
            return (StackError)error;
        }
        catch (PosixException e)
        {
            return (StackError)e.Errno;
        }
    }

    /// <summary>The outcome of <see cref="Connect"/>: None, or the error; null while the handshake goes on.</summary>
    public StackError? FinishConnecting()
    {
        var events = SocketPair.Poll(Descriptor, POLLOUT);
        if ((events & (POLLOUT | POLLERR | POLLHUP)) == 0)
            return null;
        var error = SocketPair.TakeError(Descriptor);
        return error != 0 || (events & POLLHUP) == 0 ? (StackError)error : StackError.ConnectionReset;
    }

    /// <summary>Copies the first bytes that can be read, and leaves them in the queue.</summary>
    /// <param name="count">With <see cref="ReadResult.Data"/>: how many, at least one.</param>
    public ReadResult Peek(Span<byte> bytes, out int count)
    {
        count = 0;
        if (!TryDiscard())
            return FailedRead(Errno);
        fixed (byte* start = bytes)
            count = (int)recv(Descriptor, start, (nuint)bytes.Length, MSG_PEEK | MSG_DONTWAIT);
        return count > 0 ? ReadResult.Data : count < 0 ? FailedRead(Errno) : State();
    }

    /// <summary>Discards bytes that were peeked at.</summary>
    public void Take(int count)
    {
        _discard += count;
        TryDiscard();
    }

    /// <summary>Writes a short answer. False: it does not fit, although the client has got little else.</summary>
    public bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            return send(Descriptor, start, (nuint)bytes.Length, MSG_DONTWAIT | MSG_NOSIGNAL) == bytes.Length;
    }

    /// <summary>Has the owner read these bytes first, as if the peer had sent them before all others.</summary>
    public void BeginWith(ReadOnlyMemory<byte> first) => _first = first;

    /// <inheritdoc/>
    public override ReadResult Read(BufferPool pool, int max, out PacketBuffer? data)
    {
        if (_first.IsEmpty)
            return base.Read(pool, max, out data);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        var count = Math.Min(max, _first.Length);
        data = pool.RentCopy(_first.Span[..count]);
        _first = _first[count..];
        return ReadResult.Data;
    }

    /// <summary>Moves the connection to a new object for another owner, who starts to watch it. Closes this object, not the connection.</summary>
    public HostStream HandOver() => new(Detach()) { _discard = _discard, _first = _first };

    /// <summary>Sends RST to the peer, and discards what the peer has not acknowledged. Closes this end.</summary>
    public override void Reset()
    {
        var linger = new LingerSetting { On = 1, Seconds = 0 };
        _ = setsockopt(Descriptor, SOL_SOCKET, SO_LINGER, &linger, (uint)sizeof(LingerSetting));
        CloseDescriptor();
    }

    /// <summary>EPIPE, too: nobody writes after <see cref="StreamEnd.EndOfStream"/>, so that only a reset can have caused it.</summary>
    protected override bool MeansReset(int errno) => errno is not (Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM);

    protected override bool TryDiscard()
    {
        if (_discard == 0)
            return true;
        var scratch = stackalloc byte[1024];
        while (_discard > 0)
        {
            var discarded = (int)recv(Descriptor, scratch, (nuint)Math.Min(_discard, 1024), MSG_DONTWAIT);
            if (discarded < 0)
                return false;
            // The bytes were there: only the end of the connection can have removed them.
            _discard = discarded == 0 ? 0 : _discard - discarded;
        }

        return true;
    }

    protected override int UnreadBytes() => QueuedBytes();

    protected override int Receive(PacketBuffer buffer, int count, bool leavesMore)
    {
        var got = (int)recv(Descriptor, buffer.Pointer, (nuint)count, MSG_DONTWAIT);
        if (got < 0)
            return Errno;
        buffer.Append(got);
        // More bytes, or the end, may have been reported together with these: the next read finds them.
        NoteInput();
        return 0;
    }
}
