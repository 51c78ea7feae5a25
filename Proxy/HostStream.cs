using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Proxy;

/// <summary>
/// A TCP connection of the host's kernel, one that was accepted or one that is made: the twin of a link's stream for programs that know nothing of the
/// driver.
/// </summary>
public sealed unsafe class HostStream : StreamEnd
{
    // Bytes at the head of the receive queue that were taken after a look at them, and that are still to be discarded.
    private int _discard;

    internal HostStream(int descriptor)
        : base(descriptor, SocketPair.Cookie(descriptor))
    {
        Enable(IPPROTO_TCP, TCP_NODELAY);
        Enable(SOL_SOCKET, SO_KEEPALIVE);
        // An urgent byte travels in its place among the others.
        Enable(SOL_SOCKET, SO_OOBINLINE);

        void Enable(int level, int name)
        {
            var on = 1;
            _ = setsockopt(descriptor, level, name, &on, sizeof(int));
        }
    }

    /// <summary>The host's end of the connection.</summary>
    public IpEndpoint Local => HostAddress.Local(Descriptor);

    /// <summary>The peer's end; no address if there is none any more.</summary>
    public IpEndpoint Remote => HostAddress.Remote(Descriptor);

    /// <summary>Begins to connect. <see cref="FinishConnecting"/> tells the end, once the descriptor has become writable.</summary>
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

    /// <summary>Whether a connection that was begun stands: None, or why it does not; null while that is open.</summary>
    public StackError? FinishConnecting()
    {
        var events = SocketPair.Poll(Descriptor, POLLOUT);
        if ((events & (POLLOUT | POLLERR | POLLHUP)) == 0)
            return null;
        var error = SocketPair.TakeError(Descriptor);
        return error != 0 || (events & POLLHUP) == 0 ? (StackError)error : StackError.ConnectionReset;
    }

    /// <summary>Looks at the first bytes that can be read, without taking them.</summary>
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

    /// <summary>Takes away bytes that have been looked at.</summary>
    public void Take(int count)
    {
        _discard += count;
        TryDiscard();
    }

    /// <summary>Writes a short answer. False: the client does not take it, though it is the first that it gets.</summary>
    public bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
            return send(Descriptor, start, (nuint)bytes.Length, MSG_DONTWAIT | MSG_NOSIGNAL) == bytes.Length;
    }

    /// <summary>The same connection for another owner, who is to watch it anew. This one is closed by that, the connection is not.</summary>
    public HostStream HandOver() => new(Detach()) { _discard = _discard };

    /// <summary>RST to the peer; what it has not taken is forgotten. Closes this end.</summary>
    public override void Reset()
    {
        var linger = new LingerSetting { On = 1, Seconds = 0 };
        _ = setsockopt(Descriptor, SOL_SOCKET, SO_LINGER, &linger, (uint)sizeof(LingerSetting));
        CloseDescriptor();
    }

    /// <summary>A broken pipe, too: nobody writes after the end of the stream, so that only a reset can have broken it.</summary>
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
            // They have been there: only an end of the connection can have removed them.
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
        // The rest, or the end that was reported together with these bytes, is for the next read to find.
        NoteInput();
        return 0;
    }
}
