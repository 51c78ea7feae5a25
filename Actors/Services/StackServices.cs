using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Services;

/// <summary>Where a service runs.</summary>
/// <param name="Dispatcher">The id of the dispatcher of the stack's actors.</param>
/// <param name="IsShared">Other shards have a listener on the same port.</param>
internal readonly record struct StackPlace(IActorRef Stack, string Dispatcher, bool IsShared);

/// <summary>The services that a driver has itself, by their names in settings.</summary>
internal static class StackServices
{
    /// <summary>The listener of a service on one shard, for the connections that are dealt out to it.</summary>
    /// <param name="http">What all http services of the driver share.</param>
    public static Props Listener(ServiceSpec service, StackPlace place, BufferPool pool, int backlog, Func<HttpService> http)
    {
        var stack = place.Stack;
        var connection = service.Name switch
        {
            "echo" => EchoActor.Props(stack),
            "discard" => DiscardActor.Props(stack),
            "source" => SourceActor.Props(stack, pool),
            _ => HttpActor.Props(stack, pool, http()),
        };
        return ServiceListenerActor.Props(stack, service.Name, new IpEndpoint(IpAddress.Unspecified, service.Port), backlog, connection.WithDispatcher(place.Dispatcher),
            isShared: place.IsShared);
    }
}
