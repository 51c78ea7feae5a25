using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Client;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire;

/// <summary>
/// A socket of this process as the stack's actor knows it: it speaks the messages of a socket's actor, but has no mailbox. What the stack tells it is handled at once, on the stack's thread, under
/// the socket's lock; what the program does goes from its own thread straight to the stack. So a socket takes no actor, no thread and no turn of a dispatcher, and both sides only exchange
/// references under the lock: bytes are copied outside it.
/// </summary>
internal abstract class SocketRef : MinimalActorRef
{
    private readonly DriverSocketSet _set;
    private ActorPath? _path;

    protected SocketRef(DriverSocketSet set, SocketContext context)
    {
        _set = set;
        Context = context;
    }

    public SocketContext Context { get; }

    public IActorRef Stack => Context.Stack;

    public BufferPool Pool => Context.Pool;

    /// <summary>Guards all that the stack's thread and the program's threads share. Held for a few instructions, never while bytes are copied or messages handled elsewhere.</summary>
    public Lock Gate { get; } = new();

    /// <inheritdoc/>
    public override ActorPath Path => _path ??= _set.NextPath();

    /// <inheritdoc/>
    public override IActorRefProvider Provider => _set.Provider;

    protected DriverSocketSet Set => _set;

    /// <summary>The network ends: the socket closes, and what waits fails.</summary>
    public abstract void End(SocketException reason);

    /// <summary>The stack's error as .NET has it.</summary>
    public static SocketException ExceptionOf(StackError error) => LinkErrors.ToException((int)error);

    /// <summary>The call was under way when its socket was disposed.</summary>
    public static SocketException Aborted() => new((int)SocketError.OperationAborted);

    /// <summary>The same error for another caller: an exception that is thrown twice has the stack trace of neither.</summary>
    public static SocketException Again(SocketException reason) => new((int)reason.SocketErrorCode, reason.Message);

    /// <summary>An end of the stack's as .NET has it.</summary>
    /// <param name="asV6">The socket is one of IPv6, which has peers of IPv4 as mapped addresses.</param>
    public static IPEndPoint EndPointOf(in IpEndpoint end, bool asV6 = false)
    {
        var address = end.Address.ToSystem();
        return new IPEndPoint(asV6 && end.Address.IsV4 ? address.MapToIPv6() : address, end.Port);
    }

    public static IpEndpoint EndOf(IPEndPoint end) => new(IpAddress.FromSystem(end.Address), (ushort)end.Port);

    /// <inheritdoc/>
    protected sealed override void TellInternal(object message, IActorRef sender)
    {
        if (Handle(message))
            return;
        if (message is IOwnsBuffers owner)
            owner.Release();
        _set.Log.Debug("A socket of this process does not know {Message}", message.GetType());
    }

    /// <summary>On the stack's thread.</summary>
    /// <returns>False: the message means nothing here.</returns>
    protected abstract bool Handle(object message);
}

/// <summary>The open sockets of a network of this process, to be ended with it.</summary>
internal sealed class DriverSocketSet(ActorSystem system, TimeProvider clock)
{
    private readonly Lock _gate = new();
    private readonly HashSet<SocketRef> _all = new(ReferenceEqualityComparer.Instance);
    private readonly CancellationTokenSource _over = new();
    private SocketException? _ended;
    private long _lastPath;
    private long _received;
    private long _sent;

    public IActorRefProvider Provider { get; } = ((ExtendedActorSystem)system).Provider;

    public TimeProvider Clock => clock;

    public ILoggingAdapter Log { get; } = Logging.GetLogger(system, typeof(SocketRef));

    /// <summary>Cancelled when the network has ended.</summary>
    public CancellationToken Over => _over.Token;

    public int Count
    {
        get
        {
            lock (_gate)
                return _all.Count;
        }
    }

    /// <summary>Bytes that programs have read and written.</summary>
    public (long Received, long Sent) Bytes => (Interlocked.Read(ref _received), Interlocked.Read(ref _sent));

    public void NoteReceived(int bytes) => Interlocked.Add(ref _received, bytes);

    public void NoteSent(int bytes) => Interlocked.Add(ref _sent, bytes);

    public ActorPath NextPath() => (Provider.TempContainer.Path / "tapwire-socket").WithUid(Interlocked.Increment(ref _lastPath));

    /// <summary>Why the network has ended, if it has.</summary>
    public SocketException Reason
    {
        get
        {
            lock (_gate)
                return SocketRef.Again(_ended ?? SocketRef.Aborted());
        }
    }

    /// <exception cref="SocketException">The network has ended.</exception>
    public void Add(SocketRef socket)
    {
        lock (_gate)
        {
            if (_ended is { } reason)
                throw SocketRef.Again(reason);
            _all.Add(socket);
        }
    }

    public void Remove(SocketRef socket)
    {
        lock (_gate)
            _all.Remove(socket);
    }

    /// <summary>Ends all sockets, and refuses new ones. The first reason counts.</summary>
    public void End(SocketException reason)
    {
        List<SocketRef> all;
        lock (_gate)
        {
            _ended ??= reason;
            all = [.. _all];
            _all.Clear();
        }

        foreach (var socket in all)
            socket.End(reason);
        _over.Cancel();
    }
}
