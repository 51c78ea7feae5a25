using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire;

/// <summary>A listening TCP socket of this process. It takes some connections before the program asks for them; the others wait in the stack's backlog.</summary>
internal sealed class ListenSocket : SocketRef
{
    /// <summary>Connections that the stack may hand over without being asked again, so that accepting one costs no round trip.</summary>
    private const int Ahead = 64;

    private readonly TcpSocketOptions _options;
    private readonly TaskCompletionSource<IpEndpoint> _opening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<StreamSocket> _ready = new();
    private readonly LinkedList<TaskCompletionSource<StreamSocket>> _waiting = new();
    private readonly int _lot;
    private SocketId? _id;
    private int _taken;
    private SocketException? _ended;

    public ListenSocket(DriverSocketSet set, SocketContext context, in TcpSocketOptions options, int backlog)
        : base(set, context)
    {
        _options = options;
        _lot = Math.Clamp(Math.Min(Ahead, backlog) / 2, 1, Ahead);
    }

    /// <exception cref="SocketException">AddressAlreadyInUse, AddressNotAvailable.</exception>
    public async Task<IpEndpoint> OpenAsync(IpEndpoint local, int backlog, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Set.Add(this);
        Stack.Tell(new Listen(local, backlog, Binding: null, _options), this);
        try
        {
            return await _opening.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            Dispose(Aborted());
            throw;
        }
    }

    public Task<StreamSocket> AcceptAsync(CancellationToken cancellationToken)
    {
        LinkedListNode<TaskCompletionSource<StreamSocket>> place;
        lock (Gate)
        {
            if (_ended is { } reason)
                return Task.FromException<StreamSocket>(reason.SocketErrorCode == SocketError.OperationAborted ? new ObjectDisposedException(nameof(TapwireListener)) : reason);
            if (cancellationToken.IsCancellationRequested)
                return Task.FromCanceled<StreamSocket>(cancellationToken);
            if (_ready.TryDequeue(out var ready))
            {
                Ask();
                return Task.FromResult(ready);
            }

            place = _waiting.AddLast(new TaskCompletionSource<StreamSocket>(TaskCreationOptions.RunContinuationsAsynchronously));
        }

        return cancellationToken.CanBeCanceled ? CancellableAsync(place, cancellationToken) : place.Value.Task;
    }

    /// <summary>Takes the port back. Connections that nobody has accepted are reset.</summary>
    public void Dispose(SocketException reason)
    {
        List<StreamSocket> unaccepted;
        List<TaskCompletionSource<StreamSocket>> waiting;
        lock (Gate)
        {
            if (_ended is not null)
                return;
            _ended = reason;
            unaccepted = [.. _ready];
            waiting = [.. _waiting];
            _ready.Clear();
            _waiting.Clear();
            if (_id is { } id)
                Stack.Tell(new Unlisten(id), this);
        }

        Set.Remove(this);
        foreach (var socket in unaccepted)
            socket.Dispose(abort: true);
        foreach (var waiter in waiting)
            waiter.TrySetException(Again(reason));
        _opening.TrySetException(reason);
    }

    /// <inheritdoc/>
    public override void End(SocketException reason) => Dispose(reason);

    /// <inheritdoc/>
    protected override bool Handle(object message)
    {
        switch (message)
        {
            case Accepted accepted:
                Take(accepted);
                return true;
            case Listening listening:
                Begin(listening);
                return true;
            case ListenFailed failed:
                Set.Remove(this);
                _opening.TrySetException(ExceptionOf(failed.Error));
                return true;
            default:
                return message is OptionAnswer;
        }
    }

    private async Task<StreamSocket> CancellableAsync(LinkedListNode<TaskCompletionSource<StreamSocket>> place, CancellationToken cancellationToken)
    {
        await using (cancellationToken.UnsafeRegister((_, token) =>
        {
            lock (Gate)
            {
                if (place.List is null)
                    return; // it has a connection, or the listener has ended
                _waiting.Remove(place);
            }

            place.Value.TrySetCanceled(token);
        }, null).ConfigureAwait(false))
            return await place.Value.Task.ConfigureAwait(false);
    }

    private void Begin(Listening listening)
    {
        lock (Gate)
        {
            if (_ended is not null)
            {
                Stack.Tell(new Unlisten(listening.Id), this);
                return;
            }

            _id = listening.Id;
            Stack.Tell(new Accept(listening.Id, 2 * _lot), this);
        }

        _opening.TrySetResult(listening.Local);
    }

    private void Take(Accepted accepted)
    {
        TaskCompletionSource<StreamSocket>? waiter = null;
        StreamSocket? socket = null;
        lock (Gate)
        {
            if (_ended is null)
            {
                try
                {
                    socket = new StreamSocket(Set, Context, _options);
                    socket.Attach(accepted);
                }
                catch (SocketException)
                {
                    // The network is ending.
                    socket = null;
                }
            }

            if (socket is not null && _waiting.First is { } first)
            {
                _waiting.RemoveFirst();
                waiter = first.Value;
                Ask();
            }
            else if (socket is not null)
            {
                _ready.Enqueue(socket);
            }
        }

        if (socket is null)
            Stack.Tell(new Abort(accepted.Id), this);
        else
            waiter?.TrySetResult(socket);
    }

    /// <summary>One connection has gone to the program: the stack is asked for more, in lots. Under the gate.</summary>
    private void Ask()
    {
        if (++_taken < _lot || _id is not { } id)
            return;
        Stack.Tell(new Accept(id, _taken), this);
        _taken = 0;
    }
}

/// <summary>A listening TCP socket of the driver in this process.</summary>
internal sealed class DriverListener(ListenSocket socket, IpEndpoint local, bool asV6) : TapwireListener
{
    /// <inheritdoc/>
    public override IPEndPoint LocalEndPoint { get; } = asV6 && local.Address.IsUnspecified ? new IPEndPoint(IPAddress.IPv6Any, local.Port) : SocketRef.EndPointOf(local, asV6);

    /// <inheritdoc/>
    public override async Task<TapwireStream> AcceptAsync(CancellationToken cancellationToken = default) =>
        new DriverStream(await socket.AcceptAsync(cancellationToken).ConfigureAwait(false), asV6);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => socket.Dispose(SocketRef.Aborted());
}
