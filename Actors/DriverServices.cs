using Akka.Actor;
using Tapwire.Actors.Services;
using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;

namespace Tapwire.Actors;

/// <summary>The services of a driver: their listeners, and the actor of the page that the http services have. Used by the driver's actor only.</summary>
/// <param name="owner">The context of the driver's actor.</param>
/// <param name="start">Makes an actor with that name on a shard's thread, and watches it.</param>
internal sealed class DriverServices(DriverContext driver, IActorContext owner, Func<Props, string, DriverShard, IActorRef> start)
{
    private HttpService? _http;

    /// <summary>Those of each service that accepts connections, one for each shard.</summary>
    public Dictionary<ServiceSpec, IReadOnlyList<IActorRef>> Listeners { get; } = [];

    /// <summary>Starts a service on each shard.</summary>
    /// <param name="stacks">The stack of each shard.</param>
    /// <param name="page">Of the page's actor, which the first http service brings.</param>
    /// <returns>Actors that end when the driver stops.</returns>
    public IReadOnlyList<IActorRef> Start(ServiceSpec service, IReadOnlyList<IActorRef> stacks, PageContext page)
    {
        var listeners = new List<IActorRef>();
        for (var i = 0; i < stacks.Count; i++)
        {
            var place = new StackPlace(stacks[i], driver.Shards[i].Dispatcher, IsShared: stacks.Count > 1);
            listeners.Add(start(StackServices.Listener(service, place, driver.Pool, driver.Settings.ServeBacklog, () => Http(page)), DriverNames.Free(owner, DriverNames.Of($"{service.Name}-{service.Port}", i)),
                driver.Shards[i]));
        }

        Listeners[service] = listeners;
        return _http is { } http ? [.. listeners, http.Page] : listeners;
    }

    /// <summary>Its actor writes texts of some hundred KiB: not on a thread that has packets.</summary>
    private HttpService Http(PageContext page) => _http ??= new HttpService(owner.Watch(owner.ActorOf(PageActor.Props(page).WithDispatcher(driver.CaptureDispatcher), "page")));
}
