using System.Collections.Concurrent;
using System.Net.Sockets;
using Tapwire.Links.Protocol;

namespace Tapwire.Links.Client;

/// <summary>An answer, and the descriptor that came with it.</summary>
internal readonly record struct Answer(LinkAnswer Message, SafeSocketHandle? Descriptor);

/// <summary>
/// A client's control connection: any number of requests may be under way, from any thread; answers are matched by their ids. One loop reads; it
/// holds no thread while it waits.
/// </summary>
internal sealed class ControlConnection : IDisposable
{
    private readonly Socket _socket;
    private readonly SemaphoreSlim _sending = new(1);
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<Answer>> _pending = new();
    private readonly Queue<SafeSocketHandle> _descriptors = new();
    private byte[] _input = new byte[4096];
    private int _inputEnd;
    private uint _lastId;
    private volatile Exception? _failure;

    private ControlConnection(Socket socket) => _socket = socket;

    /// <exception cref="SocketException">No driver listens at that path, or it is another user's.</exception>
    /// <exception cref="LinkProtocolException">What listens there is no Tapwire driver, or one of another version.</exception>
    public static async Task<ControlConnection> OpenAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken).ConfigureAwait(false);
            var connection = new ControlConnection(socket);
            await connection.GreetAsync(cancellationToken).ConfigureAwait(false);
            _ = connection.ReadAnswersAsync();
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

    /// <summary>Asks, and waits for the answer. Cancelled, the request may still be carried out; a descriptor that it brings is closed.</summary>
    /// <exception cref="SocketException">The driver has answered with an error, or is gone.</exception>
    public async Task<Answer> AskAsync(LinkRequest request, CancellationToken cancellationToken)
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
            await SendAsync(frame, cancellationToken).ConfigureAwait(false);
            answer = await completion.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            _ = DiscardAsync(completion.Task);
            throw;
        }

        if (answer.Message.Error == 0)
            return answer;
        answer.Descriptor?.Dispose();
        throw LinkErrors.ToException(answer.Message.Error);
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
            // Nobody waits for this answer; that it will not come is no news to anybody.
        }
    }

    private async Task GreetAsync(CancellationToken cancellationToken)
    {
        var hello = new byte[LinkProtocol.HelloSize];
        LinkProtocol.WriteHello(hello);
        await SendAsync(hello, cancellationToken).ConfigureAwait(false);
        for (var read = 0; read < hello.Length;)
        {
            var count = await _socket.ReceiveAsync(hello.AsMemory(read), cancellationToken).ConfigureAwait(false);
            if (count == 0)
                throw new SocketException((int)SocketError.AccessDenied);
            read += count;
        }

        var version = LinkProtocol.ReadHello(hello);
        if (version != LinkProtocol.Version)
            throw new LinkProtocolException($"The driver speaks version {version} of the link protocol, this library {LinkProtocol.Version}.");
    }

    private async Task SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        await _sending.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Not to be cancelled half-way: what follows would be taken for the rest of this frame.
            while (frame.Length > 0)
                frame = frame[await _socket.SendAsync(frame, SocketFlags.None, CancellationToken.None).ConfigureAwait(false)..];
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            Abandon(e is SocketException ? new SocketException((int)SocketError.ConnectionReset) : e);
            throw _failure!;
        }
        finally
        {
            _sending.Release();
        }
    }

    private async Task ReadAnswersAsync()
    {
        try
        {
            while (true)
            {
                // A read of no bytes waits until there are some.
                await _socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None).ConfigureAwait(false);
                if (!ReadAvailable())
                    throw new SocketException((int)SocketError.ConnectionReset);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or IOException)
        {
            Abandon(e);
            _socket.Dispose();
            while (_descriptors.TryDequeue(out var descriptor))
                descriptor.Dispose();
        }
    }

    /// <summary>Takes what the driver has sent. False at the end of the stream.</summary>
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

    /// <summary>The connection is at its end: all who wait are told, and all who come.</summary>
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
