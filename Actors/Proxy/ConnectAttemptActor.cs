using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Proxy;

/// <summary>ConnectAttemptActor → ProxySessionActor: there is a connection, on hold. It is the session's from now on.</summary>
internal sealed record AttemptSucceeded(SocketId Id, IpEndpoint Local, IpEndpoint Remote);

/// <summary>ConnectAttemptActor → ProxySessionActor: this address cannot be reached.</summary>
internal sealed record AttemptFailed(IpAddress Address, StackError Error);

/// <summary>One attempt to connect to one of a destination's addresses. Its end, by itself or by its parent, ends the attempt.</summary>
internal sealed class ConnectAttemptActor : ReceiveActor
{
    private readonly IActorRef _stack;
    private readonly IpEndpoint _remote;
    private readonly TcpSocketOptions _options;
    private readonly string? _zone;
    private SocketId? _socket;

    public ConnectAttemptActor(IActorRef stack, IpEndpoint remote, TcpSocketOptions options, string? zone)
    {
        _zone = zone;
        _stack = stack;
        _remote = remote;
        _options = options;
        Receive<Connecting>(connecting => _socket = connecting.Id);
        Receive<Connected>(connected =>
        {
            _socket = null;
            Context.Parent.Tell(new AttemptSucceeded(connected.Id, connected.Local, connected.Remote));
            Context.Stop(Self);
        });
        Receive<ConnectFailed>(failed =>
        {
            _socket = null;
            Context.Parent.Tell(new AttemptFailed(_remote.Address, failed.Error));
            Context.Stop(Self);
        });
    }

    /// <param name="zone">Of a link-local address; null: none is said.</param>
    public static Props Props(IActorRef stack, IpEndpoint remote, TcpSocketOptions options, string? zone) => Akka.Actor.Props.Create(() => new ConnectAttemptActor(stack, remote, options, zone));

    /// <summary>On hold: the socket delivers nothing before the client has its answer and the connection its actor.</summary>
    protected override void PreStart() => _stack.Tell(new Connect(_remote, null, _options) { Hold = true, Zone = _zone });

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _stack.Tell(new Abort(socket));
    }
}
