using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Links.Protocol;

namespace Tapwire;

/// <summary>
/// A TCP connection. One read and one write may be under way at a time. A failed read or write throws an <see cref="IOException"/> whose inner <see cref="SocketException"/> has the
/// connection's true error, as with NetworkStream. A cancelled read loses no bytes; of a cancelled write the peer may get the beginning. Disposing sends what was written and ends the connection in
/// order; it resets the connection if bytes are unread, or with <see cref="LingerState"/> of 0 seconds.
/// </summary>
public abstract class TapwireStream : Stream
{
    private int _readTimeout = Timeout.Infinite;
    private int _writeTimeout = Timeout.Infinite;

    /// <summary>The own end.</summary>
    public abstract IPEndPoint LocalEndPoint { get; }

    /// <summary>The peer's end.</summary>
    public abstract IPEndPoint RemoteEndPoint { get; }

    /// <summary>Small segments leave at once, without Nagle's algorithm (TCP_NODELAY).</summary>
    public bool NoDelay
    {
        get => GetOption(LinkOption.IpProtoTcp, LinkOption.TcpNoDelay) != 0;
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpNoDelay, value ? 1 : 0);
    }

    /// <summary>A peer that is silent is asked whether it is still there (SO_KEEPALIVE).</summary>
    public bool KeepAlive
    {
        get => GetOption(LinkOption.SolSocket, LinkOption.SoKeepAlive) != 0;
        set => SetOption(LinkOption.SolSocket, LinkOption.SoKeepAlive, value ? 1 : 0);
    }

    /// <summary>Silence before the first keep-alive probe (TCP_KEEPIDLE): whole seconds, 1 to 32767.</summary>
    public TimeSpan KeepAliveTime
    {
        get => TimeSpan.FromSeconds(GetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepIdle));
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepIdle, Whole(value.TotalSeconds));
    }

    /// <summary>Time between keep-alive probes (TCP_KEEPINTVL): whole seconds, 1 to 32767.</summary>
    public TimeSpan KeepAliveInterval
    {
        get => TimeSpan.FromSeconds(GetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepIntvl));
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepIntvl, Whole(value.TotalSeconds));
    }

    /// <summary>Unanswered keep-alive probes after which the connection ends with TimedOut (TCP_KEEPCNT): 1 to 127.</summary>
    public int KeepAliveRetryCount
    {
        get => GetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepCnt);
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpKeepCnt, value);
    }

    /// <summary>How long what is sent may stay unacknowledged before the connection ends with TimedOut (TCP_USER_TIMEOUT), in milliseconds; zero is TCP's own limit, some 15 minutes.</summary>
    public TimeSpan UserTimeout
    {
        get => TimeSpan.FromMilliseconds(GetOption(LinkOption.IpProtoTcp, LinkOption.TcpUserTimeout));
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpUserTimeout, Whole(value.TotalMilliseconds));
    }

    /// <summary>Bytes that wait for this program at most, and so the largest window (SO_RCVBUF). Setting it ends automatic growth.</summary>
    public int ReceiveBufferSize
    {
        get => GetOption(LinkOption.SolSocket, LinkOption.SoRcvBuf);
        set => SetOption(LinkOption.SolSocket, LinkOption.SoRcvBuf, Size(value));
    }

    /// <summary>Bytes that are taken before the peer has acknowledged any (SO_SNDBUF). It only grows. Setting it ends automatic growth.</summary>
    public int SendBufferSize
    {
        get => GetOption(LinkOption.SolSocket, LinkOption.SoSndBuf);
        set => SetOption(LinkOption.SolSocket, LinkOption.SoSndBuf, Size(value));
    }

    /// <summary>What disposing does (SO_LINGER): with 0 seconds it resets the connection. With more, disposing asynchronously waits that long for the peer to take what was written.</summary>
    public LingerOption LingerState
    {
        get
        {
            Span<byte> value = stackalloc byte[2 * sizeof(int)];
            GetOption(LinkOption.SolSocket, LinkOption.SoLinger, value);
            return new LingerOption(BinaryPrimitives.ReadInt32LittleEndian(value) != 0, BinaryPrimitives.ReadInt32LittleEndian(value[sizeof(int)..]));
        }

        set
        {
            ArgumentNullException.ThrowIfNull(value);
            Span<byte> bytes = stackalloc byte[2 * sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value.Enabled ? 1 : 0);
            BinaryPrimitives.WriteInt32LittleEndian(bytes[sizeof(int)..], value.LingerTime);
            SetOption(LinkOption.SolSocket, LinkOption.SoLinger, bytes);
        }
    }

    /// <summary>cubic, bbr or reno (TCP_CONGESTION).</summary>
    public string CongestionControl
    {
        get
        {
            Span<byte> value = stackalloc byte[16];
            return Encoding.ASCII.GetString(value[..GetOption(LinkOption.IpProtoTcp, LinkOption.TcpCongestion, value)].TrimEnd((byte)0));
        }
        set => SetOption(LinkOption.IpProtoTcp, LinkOption.TcpCongestion, Encoding.ASCII.GetBytes(value));
    }

    /// <inheritdoc/>
    public override bool CanTimeout => true;

    /// <summary>Milliseconds that <see cref="Stream.Read(Span{byte})"/>, which blocks, waits at most; asynchronous reads are cancelled by their tokens.</summary>
    public override int ReadTimeout
    {
        get => _readTimeout;
        set => _readTimeout = Limit(value);
    }

    /// <summary>Milliseconds that <see cref="Stream.Write(ReadOnlySpan{byte})"/>, which blocks, waits at most.</summary>
    public override int WriteTimeout
    {
        get => _writeTimeout;
        set => _writeTimeout = Limit(value);
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Cancelled when nothing more will be received, though what has come may not be read yet: the peer has sent its last byte, or the connection has ended. A driver in another process does not
    /// say so: there the token is never cancelled, and only reading shows it.</summary>
    public virtual CancellationToken ReceiveEnded => CancellationToken.None;

    /// <summary>Ends one direction: Send makes the peer read the end of the stream after the last byte, and reading goes on.</summary>
    public abstract void Shutdown(SocketShutdown how);

    /// <summary>Resets the connection: both sides lose what is on the way. Reads and writes that wait fail with OperationAborted.</summary>
    public abstract void Abort();

    /// <summary>The connection as a pair of pipes, for programs that parse what they read. Not to be used beside reads and writes of the stream. Completing the output ends the sending
    /// direction. Both are to be completed before the stream is disposed, which ends the connection.</summary>
    public virtual IDuplexPipe AsDuplexPipe() => new StreamPipe(this);

    /// <summary>Sets an option by Linux's level, name and value, as setsockopt(2) does, for those that have no property here.</summary>
    /// <exception cref="SocketException">ProtocolOption: there is no such option; InvalidArgument: not with this value.</exception>
    public abstract void SetOption(int level, int name, ReadOnlySpan<byte> value);

    /// <summary>Reads an option, as getsockopt(2) does.</summary>
    /// <returns>How many bytes of <paramref name="value"/> it has.</returns>
    /// <exception cref="SocketException">ProtocolOption: there is no such option.</exception>
    public abstract int GetOption(int level, int name, Span<byte> value);

    /// <summary>Sets an option whose value is an int.</summary>
    /// <inheritdoc cref="SetOption(int, int, ReadOnlySpan{byte})"/>
    public void SetOption(int level, int name, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        SetOption(level, name, bytes);
    }

    /// <summary>Reads an option whose value is an int.</summary>
    /// <inheritdoc cref="GetOption(int, int, Span{byte})"/>
    public int GetOption(int level, int name)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        return GetOption(level, name, value) == sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(value) : throw new SocketException((int)SocketError.ProtocolOption);
    }

    /// <summary>Does nothing: there is no buffer.</summary>
    public override void Flush()
    {
    }

    /// <inheritdoc cref="Flush"/>
    public override Task FlushAsync(CancellationToken cancellationToken) => cancellationToken.IsCancellationRequested ? Task.FromCanceled(cancellationToken) : Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <summary>The exception of a failed read or write.</summary>
    protected static IOException Failed(SocketException cause)
    {
        ArgumentNullException.ThrowIfNull(cause);
        return new IOException($"The connection has failed: {cause.Message}", cause);
    }

    private static int Whole(double value) => value is >= 0 and <= int.MaxValue ? (int)value : throw new ArgumentOutOfRangeException(nameof(value), value, null);

    private static int Size(int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        return value;
    }

    private static int Limit(int value) => value is > 0 or Timeout.Infinite ? value : throw new ArgumentOutOfRangeException(nameof(value), value, null);

    /// <summary>Pipes with buffers of their own, over the stream.</summary>
    private sealed class StreamPipe(TapwireStream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

        public PipeWriter Output { get; } = PipeWriter.Create(new SendingSide(stream));
    }

    /// <summary>The stream as a writer sees it: disposing ends the sending direction.</summary>
    private sealed class SendingSide(TapwireStream stream) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => stream.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => stream.Write(buffer, offset, count);

        public override void Write(ReadOnlySpan<byte> buffer) => stream.Write(buffer);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => stream.WriteAsync(buffer, cancellationToken);

        protected override void Dispose(bool disposing)
        {
            try
            {
                if (disposing)
                    stream.Shutdown(SocketShutdown.Send);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The connection has ended before its sending direction.
            }

            base.Dispose(disposing);
        }
    }
}
