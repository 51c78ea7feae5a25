using System.Buffers;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Posix;

namespace Tapwire;

/// <summary>
/// A place on this machine that leads to a host of a Tapwire network, for libraries that take no stream, only an address: <see cref="TapwireNetwork.Forward(EndPoint, string, int, Action{SocketException}?)"/>.
/// The end of one direction passes through, and a side that does not read holds the other one back. It ends when it is disposed, or the network ends; its connections are then reset. A reset of
/// the host's is one for a client on loopback; a client on a path reads an end of stream instead, because AF_UNIX has none. Safe to use from several threads.
/// </summary>
public sealed class TapwireForward : IAsyncDisposable
{
    /// <summary>Connections at a time; more of them wait in the kernel's backlog.</summary>
    internal const int MostConnections = 1000;

    private const int BufferSize = 64 << 10;

    /// <summary>How long accepting rests when this process has no descriptor left.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly TapwireNetwork _network;
    private readonly string _host;
    private readonly int _port;
    private readonly Action<SocketException>? _failed;
    private readonly ForwardSocket _listener;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _ended;

    internal TapwireForward(TapwireNetwork network, EndPoint local, string host, int port, Action<SocketException>? failed)
    {
        (_network, _host, _port, _failed) = (network, host, port, failed);
        _listener = ForwardSocket.Listen(local);
        LocalEndPoint = _listener.LocalEndPoint;
        _ended = RunAsync();
        _ = WatchAsync();
    }

    /// <summary>Where it listens: a path, or a loopback address with the port that was chosen.</summary>
    public EndPoint LocalEndPoint { get; }

    /// <summary>Stops listening, and resets the connections. Completes when all of that is done; a second call waits for the same.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _ended.ConfigureAwait(false);
    }

    private async Task WatchAsync()
    {
        try
        {
            await _network.Ended.WaitAsync(_stopping.Token).ConfigureAwait(false);
            await _stopping.CancelAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It is disposed before the network ends.
        }
    }

    private async Task RunAsync()
    {
        var running = new List<Task>();
        try
        {
            while (true)
            {
                running.RemoveAll(static each => each.IsCompleted);
                if (running.Count == MostConnections)
                    await Task.WhenAny(running).WaitAsync(_stopping.Token).ConfigureAwait(false);
                else if (await AcceptAsync().ConfigureAwait(false) is { } local)
                    running.Add(ServeAsync(local));
            }
        }
        catch (OperationCanceledException)
        {
            // It is stopping.
        }
        finally
        {
            _listener.Dispose();
        }

        await Task.WhenAll(running).ConfigureAwait(false);
    }

    /// <returns>Null: there is none; try again.</returns>
    private async Task<Socket?> AcceptAsync()
    {
        try
        {
            return await _listener.AcceptAsync(_stopping.Token).ConfigureAwait(false);
        }
        catch (SocketException e) when (e.SocketErrorCode != SocketError.OperationAborted)
        {
            // The client has gone before it was accepted, or there is no descriptor for it.
            await Task.Delay(Pause, _stopping.Token).ConfigureAwait(false);
            return null;
        }
    }

    private async Task ServeAsync(Socket local)
    {
        try
        {
            await using var stream = await _network.ConnectAsync(_host, _port, TapwireConnectOptions.ForRequests, _stopping.Token).ConfigureAwait(false);
            if (await RelayAsync(local, stream).ConfigureAwait(false))
                return;
            stream.Abort();
            Reset(local);
        }
        catch (SocketException e)
        {
            Reset(local);
            _failed?.Invoke(e);
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // It is stopping, or the network has ended.
            Reset(local);
        }
        finally
        {
            local.Dispose();
        }
    }

    /// <summary>Passes bytes on until both sides have ended.</summary>
    /// <returns>False: one of them has failed, or the forward is stopping.</returns>
    private async Task<bool> RelayAsync(Socket local, TapwireStream stream)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        await using var near = new NetworkStream(local, ownsSocket: false);
        var ways = await Task.WhenAll(
            PassAsync(near, stream, () => stream.Shutdown(SocketShutdown.Send), over),
            PassAsync(stream, near, () => local.Shutdown(SocketShutdown.Send), over)).ConfigureAwait(false);
        return Array.TrueForAll(ways, static way => way);
    }

    /// <summary>Passes one direction on. Where it fails, so does the other.</summary>
    private static async Task<bool> PassAsync(Stream from, Stream to, Action finish, CancellationTokenSource over)
    {
        try
        {
            while (await PassSomeAsync(from, to, over.Token).ConfigureAwait(false))
            {
            }

            finish();
            return true;
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            await over.CancelAsync().ConfigureAwait(false);
            return false;
        }
    }

    private static async Task<bool> PassSomeAsync(Stream from, Stream to, CancellationToken over)
    {
        // It waits without a buffer, so that an idle connection holds none.
        _ = await from.ReadAsync(Memory<byte>.Empty, over).ConfigureAwait(false);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            var count = await from.ReadAsync(buffer, over).ConfigureAwait(false);
            await to.WriteAsync(buffer.AsMemory(0, count), over).ConfigureAwait(false);
            return count > 0;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Has the client see a reset where its socket knows one: of AF_UNIX, only if it has written what nobody has read.</summary>
    private static void Reset(Socket local)
    {
        try
        {
            local.LingerState = new LingerOption(true, 0);
        }
        catch (SocketException)
        {
            // It has ended already.
        }
    }
}

/// <summary>The listening socket of a <see cref="TapwireForward"/>.</summary>
internal sealed class ForwardSocket : IDisposable
{
    private const int Backlog = 512;

    /// <summary>Another process has the directory for a moment only, while it opens a socket there.</summary>
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly string? _path;

    private ForwardSocket(Socket socket, EndPoint local, string? path = null) => (_socket, LocalEndPoint, _path) = (socket, local, path);

    public EndPoint LocalEndPoint { get; }

    /// <exception cref="SocketException">AddressAlreadyInUse, AccessDenied and the like.</exception>
    public static ForwardSocket Listen(EndPoint local) => local switch
    {
        UnixDomainSocketEndPoint unix => OnPath(unix.ToString()),
        IPEndPoint ip when IPAddress.IsLoopback(ip.Address) => OnLoopback(ip),
        IPEndPoint => throw new ArgumentException("A forward listens on loopback, or a path. Other addresses would let everybody into the network.", nameof(local)),
        _ => throw new ArgumentException("A forward listens on an address of loopback, or the path of an AF_UNIX socket.", nameof(local)),
    };

    public ValueTask<Socket> AcceptAsync(CancellationToken cancellationToken) => _socket.AcceptAsync(cancellationToken);

    public void Dispose()
    {
        // Before the socket: as long as somebody answers there, nobody else takes the path.
        if (_path is not null)
            File.Delete(_path);
        _socket.Dispose();
    }

    private static ForwardSocket OnLoopback(IPEndPoint local)
    {
        var socket = new Socket(local.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(local);
            socket.Listen(Backlog);
            return new ForwardSocket(socket, socket.LocalEndPoint!);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static ForwardSocket OnPath(string name)
    {
        if (name is ['@', ..] or "")
            throw new ArgumentException("A socket without a file has no permissions: name a path.", nameof(name));
        var path = Path.GetFullPath(name);
        if (!UnixAddress.Fits(path, out var length))
            throw new ArgumentException($"The path '{path}' has {length} bytes; {Libc.UnixPathMax} are allowed.", nameof(name));
        try
        {
            DirectoryLock? taken = null;
            if (!SpinWait.SpinUntil(() => (taken = DirectoryLock.TryTake(Path.GetDirectoryName(path)!)) is not null, LockPatience))
                throw Refused(SocketError.AddressAlreadyInUse, $"Another process is opening a socket in the directory of '{path}'.");
            using (taken)
                return Open(path);
        }
        catch (PosixException e)
        {
            throw Refused(LinkErrors.ToSocketError(e.Errno), $"The socket '{path}' cannot be opened: {e.Message}");
        }
    }

    private static ForwardSocket Open(string path)
    {
        var state = UnixSocketFile.RemoveStale(path, Libc.SOCK_STREAM, out _);
        if (state != SocketFileState.Free)
        {
            throw state is SocketFileState.LeftByAnother or SocketFileState.Forbidden
                ? Refused(SocketError.AccessDenied, $"The socket '{path}' is another user's.")
                : Refused(SocketError.AddressAlreadyInUse, state == SocketFileState.InUse ? $"Somebody listens on '{path}'." : $"There is something else than a socket at '{path}'.");
        }

        var socket = new Socket(new SafeSocketHandle(UnixSocketFile.Bind(path, Libc.SOCK_STREAM, UnixSocketFile.OwnerOnly), ownsHandle: true));
        try
        {
            socket.Listen(Backlog);
            return new ForwardSocket(socket, new UnixDomainSocketEndPoint(path), path);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static SocketException Refused(SocketError error, string why) => new((int)error, why);
}
