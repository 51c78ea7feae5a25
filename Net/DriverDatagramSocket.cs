using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire;

/// <summary>One UDP socket of this process. Datagrams wait here up to a credit, and then in the stack's bounded queue.</summary>
internal sealed class DatagramSocket(DriverSocketSet set, SocketContext context) : SocketRef(set, context)
{
    /// <summary>What the stack may hand over without being asked again.</summary>
    private const int Ahead = 64;

    /// <summary>Datagrams on their way to the stack, after which a send waits.</summary>
    private const int MostUnanswered = 64;

    private readonly TaskCompletionSource<IpEndpoint> _opening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<DatagramReceived> _received = new();
    private readonly LinkedList<TaskCompletionSource> _readers = new();
    private readonly LinkedList<TaskCompletionSource> _writers = new();
    private TaskCompletionSource<DatagramConnected>? _connecting;
    private SocketId? _id;
    private int _credit;
    private int _unanswered;
    private StackError _error;
    private SocketException? _ended;

    // The last sender: datagrams of one peer do not make an object each.
    private IpEndpoint _lastFrom;
    private IPEndPoint? _lastFromEnd;

    public bool AsV6 { get; init; }

    /// <exception cref="SocketException">AddressAlreadyInUse, AddressNotAvailable.</exception>
    public async Task<IpEndpoint> OpenAsync(IpEndpoint local, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Set.Add(this);
        Stack.Tell(new OpenDatagram(local, new UdpSocketOptions { Broadcast = true }), this);
        try
        {
            return await _opening.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            End(Aborted());
            throw;
        }
    }

    /// <summary>Sets the peer.</summary>
    /// <returns>The own end.</returns>
    public async Task<IpEndpoint> ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken)
    {
        var connecting = new TaskCompletionSource<DatagramConnected>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Gate)
        {
            ThrowIfEnded();
            if (_connecting is { Task.IsCompleted: false })
                throw new InvalidOperationException("Another connect of this socket is under way.");
            _connecting = connecting;
        }

        Stack.Tell(new ConnectDatagram(_id!.Value, EndOf(remote)) { Zone = TapwireDriver.ZoneOf(remote.Address) }, this);
        var answer = await connecting.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        return answer.Error == StackError.None ? answer.Local : throw ExceptionOf(answer.Error);
    }

    public ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, IPEndPoint? remote, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(cancellationToken);
        lock (Gate)
        {
            ThrowIfEnded();
            if (TakeError() is { } error)
                return ValueTask.FromException<int>(error);
            if (_unanswered >= MostUnanswered)
                return SendLaterAsync(payload, remote, _writers.AddLast(NewWaiter()), cancellationToken);
            _unanswered++;
        }

        Send(payload.Span, remote);
        return ValueTask.FromResult(payload.Length);
    }

    public ValueTask<SocketReceiveFromResult> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<SocketReceiveFromResult>(cancellationToken);
        DatagramReceived? received;
        lock (Gate)
        {
            ThrowIfEnded();
            if (!_received.TryDequeue(out received))
            {
                return TakeError() is { } error
                    ? ValueTask.FromException<SocketReceiveFromResult>(error)
                    : ReceiveLaterAsync(buffer, _readers.AddLast(NewWaiter()), cancellationToken);
            }
        }

        return ValueTask.FromResult(Unpack(received, buffer.Span));
    }

    /// <inheritdoc/>
    public override void End(SocketException reason)
    {
        List<DatagramReceived> rest;
        List<TaskCompletionSource> waiting;
        lock (Gate)
        {
            if (_ended is not null)
                return;
            _ended = reason;
            rest = [.. _received];
            waiting = [.. _readers, .. _writers];
            _received.Clear();
            _readers.Clear();
            _writers.Clear();
            if (_id is { } id)
                Stack.Tell(new CloseDatagram(id), this);
        }

        Set.Remove(this);
        rest.ForEach(static each => each.Release());
        waiting.ForEach(each => each.TrySetException(Again(reason)));
        _opening.TrySetException(reason);
        _connecting?.TrySetException(reason);
    }

    /// <inheritdoc/>
    protected override bool Handle(object message)
    {
        switch (message)
        {
            case DatagramReceived received:
                Arrive(received);
                return true;
            case DatagramSent sent:
                Answered(sent.Error);
                return true;
            case DatagramError error:
                Report(error.Error);
                return true;
            case DatagramOpened opened:
                Begin(opened);
                return true;
            case DatagramOpenFailed failed:
                Set.Remove(this);
                _opening.TrySetException(ExceptionOf(failed.Error));
                return true;
            case DatagramConnected connected:
                _connecting?.TrySetResult(connected);
                return true;
            default:
                return message is OptionAnswer;
        }
    }

    private static TaskCompletionSource NewWaiter() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Begin(DatagramOpened opened)
    {
        lock (Gate)
        {
            if (_ended is not null)
            {
                Stack.Tell(new CloseDatagram(opened.Id), this);
                return;
            }

            _id = opened.Id;
            Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead), this);
        }

        _opening.TrySetResult(opened.Local);
    }

    private void Arrive(DatagramReceived received)
    {
        TaskCompletionSource? reader = null;
        lock (Gate)
        {
            if (_ended is null)
            {
                _received.Enqueue(received);
                reader = Next(_readers);
                received = null!;
            }
        }

        received?.Release();
        reader?.TrySetResult();
    }

    private void Answered(StackError error)
    {
        TaskCompletionSource? writer;
        lock (Gate)
        {
            _unanswered--;
            if (error != StackError.None)
                _error = error;
            writer = Next(_writers);
        }

        writer?.TrySetResult();
    }

    private void Report(StackError error)
    {
        TaskCompletionSource? reader;
        lock (Gate)
        {
            _error = error;
            reader = Next(_readers);
        }

        reader?.TrySetResult();
    }

    private static TaskCompletionSource? Next(LinkedList<TaskCompletionSource> waiting)
    {
        var first = waiting.First?.Value;
        if (first is not null)
            waiting.RemoveFirst();
        return first;
    }

    private async ValueTask<int> SendLaterAsync(ReadOnlyMemory<byte> payload, IPEndPoint? remote, LinkedListNode<TaskCompletionSource> place, CancellationToken cancellationToken)
    {
        await TurnAsync(place, _writers, cancellationToken).ConfigureAwait(false);
        return await SendAsync(payload, remote, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask<SocketReceiveFromResult> ReceiveLaterAsync(Memory<byte> buffer, LinkedListNode<TaskCompletionSource> place, CancellationToken cancellationToken)
    {
        await TurnAsync(place, _readers, cancellationToken).ConfigureAwait(false);
        return await ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Waits for its turn. One that is cancelled in that very moment passes it on.</summary>
    private async Task TurnAsync(LinkedListNode<TaskCompletionSource> place, LinkedList<TaskCompletionSource> waiting, CancellationToken cancellationToken)
    {
        try
        {
            await place.Value.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            TaskCompletionSource? next = null;
            lock (Gate)
            {
                if (place.List is not null)
                    waiting.Remove(place);
                else
                    next = Next(waiting);
            }

            next?.TrySetResult();
            throw;
        }
    }

    private void Send(ReadOnlySpan<byte> payload, IPEndPoint? remote)
    {
        var buffer = Pool.Rent(payload.Length, BufferPool.HeaderRoom);
        payload.CopyTo(buffer.Append(payload.Length));
        Set.NoteSent(payload.Length);
        Stack.Tell(SendDatagram.Of(_id!.Value, buffer, remote is null ? null : EndOf(remote), TapwireDriver.SendOptionsTo(remote)), this);
    }

    private SocketReceiveFromResult Unpack(DatagramReceived received, Span<byte> buffer)
    {
        var count = PacketBytes.Copy(received.Data, 0, buffer);
        var from = received.From;
        var used = received.CreditUsed();
        received.Release();
        Set.NoteReceived(count);
        IPEndPoint end;
        var told = 0;
        lock (Gate)
        {
            if (_lastFromEnd is null || _lastFrom != from)
                (_lastFrom, _lastFromEnd) = (from, EndPointOf(from, AsV6));
            end = _lastFromEnd;
            _credit += used;
            if (_credit >= Ahead / 2)
                (told, _credit) = (_credit, 0);
        }

        if (told > 0)
            Stack.Tell(new ReceiveDatagrams(_id!.Value, told), this);
        return new SocketReceiveFromResult { ReceivedBytes = count, RemoteEndPoint = end };
    }

    private SocketException? TakeError()
    {
        if (_error == StackError.None)
            return null;
        var error = ExceptionOf(_error);
        _error = StackError.None;
        return error;
    }

    private void ThrowIfEnded()
    {
        if (_ended is { } reason)
            throw reason.SocketErrorCode == SocketError.OperationAborted ? new ObjectDisposedException(nameof(TapwireDatagramSocket)) : Again(reason);
    }
}

/// <summary>A UDP socket of the driver in this process.</summary>
internal sealed class DriverDatagramSocket(DatagramSocket socket, IPEndPoint local) : TapwireDatagramSocket
{
    private IPEndPoint? _local = local;
    private IPEndPoint? _remote;

    /// <inheritdoc/>
    public override IPEndPoint? LocalEndPoint => _local;

    /// <inheritdoc/>
    public override IPEndPoint? RemoteEndPoint => _remote;

    /// <inheritdoc/>
    public override async Task ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(remote);
        _local = SocketRef.EndPointOf(await socket.ConnectAsync(remote, cancellationToken).ConfigureAwait(false), socket.AsV6);
        _remote = remote;
    }

    /// <inheritdoc/>
    public override ValueTask<int> SendAsync(ReadOnlyMemory<byte> payload, CancellationToken cancellationToken = default) =>
        (_remote is null ? new SocketException((int)SocketError.NotConnected) : RefusalOf(payload.Length, _remote)) is { } refusal
            ? ValueTask.FromException<int>(refusal) : socket.SendAsync(payload, null, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask<int> SendToAsync(ReadOnlyMemory<byte> payload, IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(remote);
        return RefusalOf(payload.Length, remote) is { } refusal ? ValueTask.FromException<int>(refusal) : socket.SendAsync(payload, remote, cancellationToken);
    }

    /// <inheritdoc/>
    public override ValueTask<SocketReceiveFromResult> ReceiveFromAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => socket.ReceiveAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing) => socket.End(SocketRef.Aborted());
}
