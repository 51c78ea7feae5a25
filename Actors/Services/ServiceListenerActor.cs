using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Services;

/// <summary>ServiceListenerActor → its parent, once: the service is open, or why it is not.</summary>
public sealed record ServiceOpened(string Name, IpEndpoint Local, StackError Error);

/// <summary>Serves a port from within the driver: every connection gets an actor of its own.</summary>
public sealed class ServiceListenerActor : ListenerActor
{
    /// <summary>Connections asked for ahead: accepting one costs no round trip to the stack.</summary>
    private const int Ahead = 64;

    /// <summary>So many have come when as many more are asked for.</summary>
    private const int Lot = Ahead / 2;

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

    protected override SupervisorStrategy SupervisorStrategy() => Akka.Actor.SupervisorStrategy.StoppingStrategy;

    protected override void OnListening(Listening listening)
    {
        Context.Parent.Tell(new ServiceOpened(_name, listening.Local, StackError.None));
        Stack.Tell(new Accept(listening.Id, Ahead));
    }

    protected override void OnListenFailed(StackError error)
    {
        Context.Parent.Tell(new ServiceOpened(_name, default, error));
        Context.Stop(Self);
    }

    protected override void OnAccepted(SocketId listener, Accepted accepted)
    {
        Context.ActorOf(_connection).Tell(accepted);
        if (++_accepted < Lot)
            return;
        Stack.Tell(new Accept(listener, _accepted));
        _accepted = 0;
    }
}
