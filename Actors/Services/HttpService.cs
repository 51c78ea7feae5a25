using Akka.Actor;

namespace Tapwire.Actors.Services;

/// <summary>What all connections of a driver's http services share, on whatever shard they are.</summary>
/// <param name="page">The actor that answers a <see cref="Tapwire.Messages.PageRequest"/>.</param>
internal sealed class HttpService(IActorRef page)
{
    /// <summary>Connections at a time; one more is answered with 503 and closed.</summary>
    public const int MaxConnections = 4096;

    private int _connections;

    public IActorRef Page => page;

    /// <returns>False: there are as many as there may be.</returns>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _connections) <= MaxConnections)
            return true;
        Leave();
        return false;
    }

    /// <summary>A connection that has entered has ended.</summary>
    public void Leave() => Interlocked.Decrement(ref _connections);
}
