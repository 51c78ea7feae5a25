using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Services;

/// <summary>
/// Serves a port from within the driver: every connection has an actor to itself. One whose connection has ended gets another: to make an actor and to end it
/// costs more than all that a short connection says to it.
/// </summary>
public sealed class ServiceListenerActor : ListenerActor
{
    /// <summary>Connections asked for ahead: accepting one costs no round trip to the stack.</summary>
    private const int Ahead = 64;

    /// <summary>So many have come when as many more are asked for.</summary>
    private const int Lot = Ahead / 2;

    /// <summary>Actors that wait for a connection; more are stopped.</summary>
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
    /// <param name="isShared">The port is listened on by all shards: nobody may have a part of it to himself.</param>
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
        // The stack stays the sender: it gets the connection back if the actor cannot be made, or has just ended.
        connection.Forward(accepted);
        if (++_accepted < Lot)
            return;
        Stack.Tell(new Accept(listener, _accepted));
        _accepted = 0;
    }
}
