using System.Net.Sockets;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire;

/// <summary>
/// One TCP connection of this process. Speaks Messages/Connect.cs and Messages/Stream.cs with the stack: bytes that the program has not read keep the window closed, and the program writes within the
/// room that the stack has.
/// </summary>
internal sealed class StreamSocket : SocketRef
{
    // Null unless a connect is under way.
    private TaskCompletionSource? _connecting;

    // Completes with the connection's end; made by who waits for it.
    private TaskCompletionSource? _closed;
    private TcpSocketOptions _options;
    private bool _hasId;
    private bool _isGivenUp;
    private bool _hasEnded;

    public StreamSocket(DriverSocketSet set, SocketContext context, in TcpSocketOptions options)
        : base(set, context)
    {
        _options = options;
        Receiving = new ReceiveSide(this);
        Sending = new SendSide(this);
        SetLot();
    }

    public SocketId Id { get; private set; }

    public IpEndpoint Local { get; private set; }

    public IpEndpoint Remote { get; private set; }

    public TimeProvider Clock => Set.Clock;

    public ReceiveSide Receiving { get; }

    public SendSide Sending { get; }

    /// <summary>The program has disposed its stream. Under the gate.</summary>
    public bool IsDisposed { get; private set; }

    /// <summary>Connects; the network has the socket from now on.</summary>
    /// <exception cref="SocketException">The reason why not.</exception>
    public async Task ConnectAsync(Connect request, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var connecting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _connecting = connecting;
        Set.Add(this);
        Stack.Tell(request with { Options = _options }, this);
        await using (cancellationToken.UnsafeRegister(static (self, token) => ((StreamSocket)self!).GiveUp(source => source.TrySetCanceled(token)), this).ConfigureAwait(false))
            await connecting.Task.ConfigureAwait(false);
    }

    /// <summary>Takes over a connection that a listener has accepted.</summary>
    public void Attach(Accepted accepted)
    {
        (Id, Local, Remote, _hasId) = (accepted.Id, accepted.Local, accepted.Remote, true);
        Set.Add(this);
        Stack.Tell(new Attach(accepted.Id), this);
    }

    /// <summary>Sets an option. The stack has it before what is written later.</summary>
    /// <exception cref="SocketException">InvalidArgument: not with this value; ProtocolOption: there is no such option.</exception>
    public void SetOption(SocketOption option, int value)
    {
        lock (Gate)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, typeof(TapwireStream));
            var error = SocketOptions.Set(ref _options, option, value);
            if (error != StackError.None)
                throw ExceptionOf(error);
            SetLot();
            if (!_hasEnded && _hasId)
                Stack.Tell(new SetOption(Id, option, value), this);
        }
    }

    /// <summary>An option as it was set, or as the stack has it by default.</summary>
    public int GetOption(SocketOption option)
    {
        lock (Gate)
            return SocketOptions.OrDefault(option, SocketOptions.Get(_options, option), Context.Defaults);
    }

    /// <summary>The program shuts one direction down.</summary>
    public void Shutdown(bool receive, bool send)
    {
        lock (Gate)
        {
            ObjectDisposedException.ThrowIf(IsDisposed, typeof(TapwireStream));
            if (_hasEnded)
                throw Receiving.Failure is { } failure and not StackError.None ? ExceptionOf(failure) : new SocketException((int)SocketError.NotConnected);
            if (send && Sending.Finish())
                Stack.Tell(new Shutdown(Id, ShutdownDirection.Send), this);
            if (receive)
                Stack.Tell(new Shutdown(Id, ShutdownDirection.Receive), this);
        }

        if (receive)
            Receiving.Finish();
    }

    /// <summary>Ends the connection: in order, or by a reset if the program leaves bytes unread.</summary>
    /// <param name="abort">By a reset in any case.</param>
    public void Dispose(bool abort)
    {
        lock (Gate)
        {
            if (IsDisposed)
                return;
            IsDisposed = true;
            if (!_hasEnded)
            {
                Receiving.TellConsumed();
                Stack.Tell(abort || Receiving.HasUnread ? new Abort(Id) : new Close(Id), this);
            }
        }

        Receiving.Abandon(Aborted());
        Sending.Abandon(Aborted());
    }

    /// <summary>Completes when the connection has ended: after a dispose, when the peer has taken what was written.</summary>
    public Task WaitForEndAsync()
    {
        lock (Gate)
            return _hasEnded ? Task.CompletedTask : (_closed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
    }

    public void NoteReceived(int bytes) => Set.NoteReceived(bytes);

    public void NoteSent(int bytes) => Set.NoteSent(bytes);

    /// <inheritdoc/>
    public override void End(SocketException reason)
    {
        GiveUp(source => source.TrySetException(reason));
        lock (Gate)
        {
            if (!_hasEnded && _hasId)
            {
                Receiving.TellConsumed();
                Stack.Tell(new Close(Id), this);
            }

            NoteEnd();
        }

        Receiving.Abandon(reason);
        Sending.Abandon(reason);
    }

    /// <inheritdoc/>
    protected override bool Handle(object message)
    {
        switch (message)
        {
            case ReadReady ready:
                Receiving.Arrive(ready);
                return true;
            case WriteDone done:
                Sending.Grant(done.Bytes);
                return true;
            case Connecting connecting:
                Begin(connecting.Id);
                return true;
            case Connected connected:
                Establish(connected);
                return true;
            case ConnectFailed failed:
                lock (Gate)
                    NoteEnd();
                Set.Remove(this);
                _connecting?.TrySetException(ExceptionOf(failed.Error));
                return true;
            case Closed closed:
                Close(closed);
                return true;
            default:
                return message is HandshakeDone or OptionAnswer or TcpInfoAnswer;
        }
    }

    private void Begin(SocketId id)
    {
        lock (Gate)
        {
            (Id, _hasId) = (id, true);
            if (_isGivenUp)
                Stack.Tell(new Abort(id), this);
        }
    }

    private void Establish(Connected connected)
    {
        lock (Gate)
        {
            (Id, Local, Remote, _hasId) = (connected.Id, connected.Local, connected.Remote, true);
            if (_isGivenUp)
            {
                Stack.Tell(new Abort(connected.Id), this);
                return;
            }
        }

        Sending.Grant(connected.SendRoom);
        // Cancelled in this very moment: the connection is nobody's.
        if (_connecting?.TrySetResult() == false)
            Stack.Tell(new Abort(connected.Id), this);
    }

    /// <summary>As in Linux (tcp_reset): after the peer's FIN, its RST only says that nobody reads any more.</summary>
    private void Close(Closed closed)
    {
        lock (Gate)
            NoteEnd();
        Set.Remove(this);
        Receiving.End(closed.Reason == StackError.ConnectionReset && Receiving.HasEnded ? StackError.None : closed.Reason);
        Sending.End(closed.Reason == StackError.None || (closed.Reason == StackError.ConnectionReset && Receiving.HasEnded) ? StackError.BrokenPipe : closed.Reason);
    }

    private void NoteEnd()
    {
        _hasEnded = true;
        _closed?.TrySetResult();
    }

    /// <summary>The connect is cancelled, or the network ends: the outcome is not awaited.</summary>
    private void GiveUp(Func<TaskCompletionSource, bool> complete)
    {
        if (_connecting is not { } connecting || !complete(connecting))
            return;
        lock (Gate)
        {
            _isGivenUp = true;
            if (_hasId && !_hasEnded)
                Stack.Tell(new Abort(Id), this);
        }

        Set.Remove(this);
    }

    private void SetLot()
    {
        var buffer = SocketOptions.OrDefault(SocketOption.ReceiveBuffer, _options.ReceiveBuffer, Context.Defaults);
        Receiving.SetLot(_options.WindowClamp > 0 ? Math.Min(buffer, _options.WindowClamp) : buffer);
    }
}
