using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>ServiceListenerActor → its parent, once: the service is open, or the error.</summary>
public sealed record ServiceOpened(string Name, IpEndpoint Local, StackError Error);

/// <summary>
/// The actor of a service's connection → its listener: the connection has ended, and the actor can serve another. The next <see cref="Accepted"/> is the
/// answer, or the actor's end if enough others wait.
/// </summary>
public sealed class ConnectionServed : IDeadLetterSuppression
{
    public static readonly ConnectionServed Instance = new();

    private ConnectionServed()
    {
    }
}
