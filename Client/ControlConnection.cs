using System.Collections.Concurrent;
using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>An answer, and the descriptor that came with it.</summary>
internal readonly record struct Answer(LinkAnswer Message, SafeSocketHandle? Descriptor);

/// <summary>
/// A client's control connection. Any number of requests may be under way, from any thread; answers are matched by their ids. One asynchronous loop reads the
/// answers.
/// </summary>
internal sealed class ControlConnection : IDisposable
{
    private static readonly TimeSpan QueuePause = TimeSpan.FromMilliseconds(20);

    private readonly Socket _socket;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<Answer>> _pending = new();
    private readonly Queue<SafeSocketHandle> _descriptors = new();
    private byte[] _input = new byte[4096];
    private int _inputEnd;
    private uint _lastId;
    private volatile Exception? _failure;

    private readonly string _path;

    private ControlConnection(Socket socket, string path) => (_socket, _path) = (socket, path);

    /// <summary>Completes when the connection has ended.</summary>
    public Task Ended { get; private set; } = Task.CompletedTask;

    /// <summary>Connects, and waits for the driver's hello. A driver that hangs, or whose backlog is full, is waited for until the call is cancelled.</summary>
    /// <exception cref="SocketException">No driver can be reached there; or the listener is not to be trusted, and was sent nothing. The message says why and
    /// what to do.</exception>
    /// <exception cref="LinkProtocolException">What listens there is no Tapwire driver, or one of another version.</exception>
    public static async Task<ControlConnection> OpenAsync(string path, CancellationToken cancellationToken)
    {
        if (LinkDiagnosis.OfPath(path) is { } impossible)
            throw impossible;
        // Before the first await: under Linux each thread has a user of its own.
        var self = (Libc.geteuid(), Libc.getuid());
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await ConnectAsync(socket, path, cancellationToken).ConfigureAwait(false);
            var peer = PeerCredentials.Of((int)socket.SafeHandle.DangerousGetHandle());
            if (LinkTrust.Weakness(path, peer.UserId, self) is { } weakness)
                throw LinkDiagnosis.OfStranger(path, peer.UserId, weakness);
            var connection = new ControlConnection(socket, path);
            await connection.GreetAsync(path, cancellationToken).ConfigureAwait(false);
            connection.Ended = connection.ReadAnswersAsync();
            return connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>A number for the next request.</summary>
    public uint NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>The error of what the driver can no longer do.</summary>
    public SocketException Gone() => new((int)SocketError.NetworkDown, $"The driver at '{_path}' has gone.");

    /// <summary>Sends a request and waits for the answer. A cancelled request may still be carried out; a descriptor that its answer brings is closed.</summary>
    /// <exception cref="SocketException">The driver has answered with an error, or is gone.</exception>
    /// <param name="passed">A descriptor to be passed with the request; it stays the caller's. -1: none.</param>
    public async Task<Answer> AskAsync(LinkRequest request, CancellationToken cancellationToken, int passed = -1)
    {
        var frame = new byte[LinkRequestCodec.SizeOf(request)];
        LinkRequestCodec.Write(request, frame);
        var completion = new TaskCompletionSource<Answer>(TaskCreationOptions.RunContinuationsAsynchronously);
        _pending[request.Id] = completion;
        if (_failure is { } failure)
            Abandon(failure);

        Answer answer;
        try
        {
            await SendAsync(frame, passed, cancellationToken).ConfigureAwait(false);
            answer = await completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = DiscardAsync(completion.Task);
            throw;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable)
        {
            // The driver has got nothing, and other requests go on.
            _pending.TryRemove(request.Id, out _);
            throw;
        }

        if (answer.Message.Error == 0)
            return answer;
        answer.Descriptor?.Dispose();
        throw LinkErrors.ToException(answer.Message);
    }

    /// <summary>Ends the connection. Sockets made over it live on.</summary>
    public void Dispose()
    {
        Abandon(new ObjectDisposedException(nameof(TapwireClient)));
        _socket.Dispose();
    }

    private static async Task DiscardAsync(Task<Answer> late)
    {
        try
        {
            (await late.ConfigureAwait(false)).Descriptor?.Dispose();
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // Nobody waits for this answer, so nobody needs to know that it will not come.
        }
    }

    private static async Task ConnectAsync(Socket socket, string path, CancellationToken cancellationToken)
    {
        var endPoint = new UnixDomainSocketEndPoint(path);
        while (true)
        {
            try
            {
                await socket.ConnectAsync(endPoint, cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TryAgain)
            {
                // The driver's backlog is full, and nothing reports when it has room again.
                await Task.Delay(QueuePause, cancellationToken).ConfigureAwait(false);
            }
            catch (SocketException e)
            {
                throw LinkDiagnosis.OfConnect(path, e);
            }
        }
    }

    private async Task GreetAsync(string path, CancellationToken cancellationToken)
    {
        var hello = new byte[LinkProtocol.HelloSize];
        LinkProtocol.WriteHello(hello);
        try
        {
            await _socket.SendAsync(hello, SocketFlags.None, cancellationToken).ConfigureAwait(false);
        }
        catch (SocketException e) when (e.SocketErrorCode != SocketError.NoBufferSpaceAvailable)
        {
            // The other side has closed. Bytes that it has sent before can still be read.
        }

        var read = await ReadHelloAsync(hello, cancellationToken).ConfigureAwait(false);
        if (read == 0)
        {
            var listener = PeerCredentials.Of((int)_socket.SafeHandle.DangerousGetHandle());
            throw LinkDiagnosis.OfClosed(path, LinkDiagnosis.OwnerOf(path) ?? listener.UserId, Libc.geteuid());
        }

        if (read < hello.Length || !hello.AsSpan().StartsWith(LinkProtocol.Magic))
            throw new LinkProtocolException($"What listens at '{path}' is no Tapwire driver: it does not speak the link protocol; name the driver's socket with --link.");
        var version = LinkProtocol.ReadHello(hello);
        if (version != LinkProtocol.Version)
        {
            throw new LinkProtocolException($"The driver at '{path}' speaks version {version} of the link protocol, this program version {LinkProtocol.Version}: "
                + "use the same release on both sides, and restart the driver after an update.");
        }
    }

    /// <summary>Reads what the other side has sent before it closed, as far as there is room.</summary>
    private async Task<int> ReadHelloAsync(Memory<byte> hello, CancellationToken cancellationToken)
    {
        var read = 0;
        try
        {
            while (read < hello.Length && await _socket.ReceiveAsync(hello[read..], cancellationToken).ConfigureAwait(false) is > 0 and var count)
                read += count;
        }
        catch (SocketException)
        {
            // The other side has closed without reading our hello: that counts as the end of the stream.
        }

        return read;
    }

    private async Task SendAsync(ReadOnlyMemory<byte> frame, int passed, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        var whole = frame.Length;
        try
        {
            if (passed >= 0)
                frame = frame[SendWithDescriptor(frame.Span, passed)..];
            // Not cancelled half-way: the next frame would be taken for the rest of this one.
            while (frame.Length > 0)
                frame = frame[await _socket.SendAsync(frame, SocketFlags.None, CancellationToken.None).ConfigureAwait(false)..];
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.NoBufferSpaceAvailable && frame.Length == whole)
        {
            throw;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Abandon(e is SocketException ? Gone() : e);
            throw _failure!;
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <exception cref="SocketException">ENOBUFS: nothing was sent, because earlier requests fill the socket, or memory is short.</exception>
    private int SendWithDescriptor(ReadOnlySpan<byte> frame, int passed)
    {
        var sent = (int)SocketPair.SendWithDescriptor((int)_socket.SafeHandle.DangerousGetHandle(), frame, passed);
        if (sent >= 0)
            return sent;
        throw new SocketException((int)(Libc.Errno is Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM ? SocketError.NoBufferSpaceAvailable : SocketError.ConnectionReset));
    }

    private async Task ReadAnswersAsync()
    {
        try
        {
            while (true)
            {
                // A read of zero bytes waits until there are some.
                await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None).ConfigureAwait(false);
                if (!ReadAvailable())
                    throw Gone();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            Abandon(e is SocketException ? Gone() : e);
            _socket.Dispose();
            while (_descriptors.TryDequeue(out var descriptor))
                descriptor.Dispose();
        }
    }

    /// <summary>Reads and handles what the driver has sent. False at the end of the stream.</summary>
    private bool ReadAvailable()
    {
        while (true)
        {
            if (_inputEnd == _input.Length)
                Array.Resize(ref _input, _input.Length * 2);
            var read = DescriptorReceiver.Receive(_socket, _input.AsSpan(_inputEnd), out var descriptor);
            if (descriptor is not null)
                _descriptors.Enqueue(descriptor);
            if (read <= 0)
                return read < 0;
            _inputEnd += read;
            Dispatch();
        }
    }

    private void Dispatch()
    {
        var start = 0;
        while (true)
        {
            var bytes = _input.AsSpan(start, _inputEnd - start);
            var length = LinkRequestCodec.FrameLength(bytes, LinkProtocol.MaxAnswer);
            if (length == 0 || bytes.Length < length)
                break;
            Complete(LinkAnswer.Read(bytes[..length]));
            start += length;
        }

        _input.AsSpan(start, _inputEnd - start).CopyTo(_input);
        _inputEnd -= start;
    }

    private void Complete(LinkAnswer answer)
    {
        // Descriptors come in the order of the answers that they belong to.
        SafeSocketHandle? descriptor = null;
        if (answer is { Type: LinkMessageType.Socket, Error: 0 } && !_descriptors.TryDequeue(out descriptor))
            throw new LinkProtocolException("The driver has made a socket and not passed its descriptor.");
        if (_pending.TryRemove(answer.Id, out var completion))
            completion.SetResult(new Answer(answer, descriptor));
        else
            descriptor?.Dispose();
    }

    /// <summary>The connection has ended: fails all requests that wait, and all that come.</summary>
    private void Abandon(Exception failure)
    {
        _failure ??= failure;
        foreach (var id in _pending.Keys)
        {
            if (_pending.TryRemove(id, out var completion))
                completion.TrySetException(_failure);
        }
    }
}
