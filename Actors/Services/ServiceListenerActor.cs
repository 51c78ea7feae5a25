using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Services;

/// <summary>
/// Serves a port from within the driver, each connection by an actor of its own. An actor whose connection has ended is used again: making and stopping one
/// costs more than all messages of a short connection.
/// </summary>
public sealed class ServiceListenerActor : ListenerActor
{
    /// <summary>Connections that the stack may hand over without being asked again, so that accepting one costs no round trip.</summary>
    private const int Ahead = 64;

    /// <summary>Connections after which as many more are asked for.</summary>
    private const int Lot = Ahead / 2;

    /// <summary>Idle actors that are kept; others are stopped.</summary>
    private const int MostIdle = 256;

    private readonly Stack<IActorRef> _idle = new();
    private readonly string _name;
    private readonly Props _connection;
    private int _accepted;

    public ServiceListenerActor(IActorRef stack, string name, Listen request, Props connection)
        : base(stack, request)
    {
        _name = name;
        _connection = connection;
    }

    /// <param name="connection">Of the actors that serve one connection each: <see cref="StreamServiceActor"/>.</param>
    /// <param name="isShared">All shards listen on the port. Then an application must not be able to take it over on one of them (SO_REUSEADDR).</param>
    public static Props Props(IActorRef stack, string name, IpEndpoint local, int backlog, Props connection, bool isShared = false)
    {
        var request = new Listen(local, backlog, Binding: null, new TcpSocketOptions { NoDelay = true, ReuseAddress = !isShared });
        return Akka.Actor.Props.Create(() => new ServiceListenerActor(stack, name, request, connection));
    }

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void OnListening(Listening listening)
    {
        Context.Parent.Tell(new ServiceOpened(_name, listening.Local, StackError.None));
        Stack.Tell(new Accept(listening.Id, Ahead));
    }

    protected override void WhileListening(Listening listening) => Receive<ConnectionServed>(_ =>
    {
        if (_idle.Count < MostIdle)
            _idle.Push(Sender);
        else
            Context.Stop(Sender);
    });

    protected override void BeforeRetiring()
    {
        while (_idle.TryPop(out var connection))
            Context.Stop(connection);
    }

    protected override void WhileRetiring(Listening listening) => Receive<ConnectionServed>(_ => Context.Stop(Sender));

    protected override void OnListenFailed(StackError error)
    {
        Context.Parent.Tell(new ServiceOpened(_name, default, error));
        Context.Stop(Self);
    }

    protected override void OnAccepted(SocketId listener, Accepted accepted)
    {
        if (!_idle.TryPop(out var connection))
            connection = Context.ActorOf(_connection);
        // Forwarded, with the stack as the sender: the connection returns there if the actor cannot be made, or has just ended.
        connection.Forward(accepted);
        if (++_accepted < Lot)
            return;
        Stack.Tell(new Accept(listener, _accepted));
        _accepted = 0;
    }
}
