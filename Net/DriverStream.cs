using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire;

/// <summary>A TCP connection of the driver in this process.</summary>
internal sealed class DriverStream : TapwireStream
{
    private readonly StreamSocket _socket;
    private LingerOption _linger = new(false, 0);
    private DriverPipe? _pipe;

    /// <param name="asV6">The socket is one of IPv6, which has peers of IPv4 as mapped addresses.</param>
    public DriverStream(StreamSocket socket, bool asV6 = false)
    {
        _socket = socket;
        LocalEndPoint = SocketRef.EndPointOf(socket.Local, asV6);
        RemoteEndPoint = SocketRef.EndPointOf(socket.Remote, asV6);
    }

    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; }

    /// <inheritdoc/>
    public override IPEndPoint RemoteEndPoint { get; }

    /// <summary>The exception of a read or write that has failed.</summary>
    public static IOException FailedBy(SocketException cause) => Failed(cause);

    /// <inheritdoc/>
    public override void Shutdown(SocketShutdown how) =>
        _socket.Shutdown(how is SocketShutdown.Receive or SocketShutdown.Both, how is SocketShutdown.Send or SocketShutdown.Both);

    /// <inheritdoc/>
    public override CancellationToken ReceiveEnded => _socket.Receiving.EndToken;

    /// <inheritdoc/>
    public override IDuplexPipe AsDuplexPipe() => _pipe ??= new DriverPipe(new DriverPipeReader(_socket.Receiving), new DriverPipeWriter(_socket));

    /// <inheritdoc/>
    public override void Abort()
    {
        _socket.Dispose(abort: true);
        base.Dispose(disposing: true);
    }

    /// <inheritdoc/>
    public override void SetOption(int level, int name, ReadOnlySpan<byte> value)
    {
        var option = KnownOption(level, name);
        if (!LinkOptions.TryDecode(level, option, value, out var number))
            throw new SocketException((int)SocketError.InvalidArgument);
        _socket.SetOption(option, number);
        if (option == SocketOption.Linger)
            _linger = new LingerOption(number >= 0, Math.Max(number, 0));
    }

    /// <inheritdoc/>
    public override int GetOption(int level, int name, Span<byte> value)
    {
        var option = KnownOption(level, name);
        var number = option == SocketOption.Linger ? _linger.Enabled ? _linger.LingerTime : -1 : _socket.GetOption(option);
        var request = new GetOptionRequest(0, 0, level, name, value.Length);
        var body = LinkOptions.Encode(request, option, number).Body.Span;
        body.CopyTo(value);
        return body.Length;
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => _socket.Receiving.ReadAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _socket.Sending.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        // The span may not live until the bytes come: what waits is the question whether there are any.
        Wait(cancel => ReadinessAsync(cancel), ReadTimeout);
        var there = new byte[buffer.Length];
        var read = ReadAsync(there);
        var count = read.IsCompleted ? read.GetAwaiter().GetResult() : read.AsTask().GetAwaiter().GetResult();
        there.AsSpan(0, count).CopyTo(buffer);
        return count;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Wait(cancel => ReadAsync(buffer.AsMemory(offset, count), cancel).AsTask(), ReadTimeout);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer) => Write(buffer.ToArray(), 0, buffer.Length);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Wait(async cancel =>
        {
            await WriteAsync(buffer.AsMemory(offset, count), cancel).ConfigureAwait(false);
            return count;
        }, WriteTimeout);
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (_pipe is { } pipe)
            await pipe.FinishAsync().ConfigureAwait(false);
        var linger = _linger is { Enabled: true, LingerTime: > 0 } ? TimeSpan.FromSeconds(_linger.LingerTime) : TimeSpan.Zero;
        Dispose();
        if (linger == TimeSpan.Zero)
            return;
        try
        {
            await _socket.WaitForEndAsync().WaitAsync(linger, _socket.Clock).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // As with SO_LINGER: the rest goes out behind the program's back.
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _socket.Dispose(abort: false);
        base.Dispose(disposing);
    }

    private static SocketOption KnownOption(int level, int name) => LinkOptions.Map(level, name) is { } option
            and not (SocketOption.Error or SocketOption.Broadcast or SocketOption.OutputQueue or SocketOption.UnsentQueue or SocketOption.PathMtu)
        ? option
        : throw new SocketException((int)SocketError.ProtocolOption);

    private Task<int> ReadinessAsync(CancellationToken cancellationToken) => ReadAsync(Memory<byte>.Empty, cancellationToken).AsTask();

    /// <summary>Blocks until a call is done, with the limit of blocking calls.</summary>
    private static int Wait(Func<CancellationToken, Task<int>> call, int milliseconds)
    {
        if (milliseconds == Timeout.Infinite)
            return call(CancellationToken.None).GetAwaiter().GetResult();
        using var over = new CancellationTokenSource(milliseconds);
        try
        {
            return call(over.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException)
        {
            throw Failed(new SocketException((int)SocketError.TimedOut));
        }
    }

    /// <summary>The two pipes of a connection.</summary>
    private sealed class DriverPipe(DriverPipeReader input, DriverPipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;

        /// <summary>What was written and completed goes to the stack before the connection is closed.</summary>
        public Task FinishAsync() => output.Finished;
    }
}
