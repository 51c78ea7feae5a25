using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Guests;

/// <summary>A guest's flows of datagrams, by their ends, up to a limit. Each has an actor, which ends when nothing has passed for a while.</summary>
internal sealed class GuestFlows(IActorContext context, int limit)
{
    private readonly Dictionary<(IpEndpoint Source, IpEndpoint Destination), IActorRef> _flows = [];
    private readonly Dictionary<IActorRef, (IpEndpoint Source, IpEndpoint Destination)> _ends = [];

    /// <summary>Flows at this moment.</summary>
    public int Open => _flows.Count;

    /// <summary>Flows so far.</summary>
    public long Accepted { get; private set; }

    /// <summary>Datagrams that could not be passed on.</summary>
    public long Dropped { get; private set; }

    public void Drop(int count = 1) => Dropped += count;

    /// <summary>Passes a datagram to its flow's actor.</summary>
    /// <param name="flow">Makes the props of the actor of a new flow.</param>
    /// <returns>False: there is no room for another flow, and the datagram is dropped.</returns>
    public bool Pass(ForwardDatagram datagram, Func<Props> flow)
    {
        var ends = (datagram.Source, datagram.Destination);
        if (!_flows.TryGetValue(ends, out var actor))
        {
            if (_flows.Count >= limit)
            {
                Dropped++;
                datagram.Release();
                return false;
            }

            Accepted++;
            actor = context.Watch(context.ActorOf(flow()));
            _flows.Add(ends, actor);
            _ends.Add(actor, ends);
        }

        actor.Tell(datagram);
        return true;
    }

    /// <returns>False: the actor is no flow's.</returns>
    public bool Remove(IActorRef actor) => _ends.Remove(actor, out var ends) && _flows.Remove(ends);
}
