using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>The UDP clients of one port, up to a limit. Each has an actor, which ends when the client has been silent for a while. Counts for the port's
/// status.</summary>
internal sealed class FlowTable(IActorContext context, int limit)
{
    private readonly Dictionary<IpEndpoint, IActorRef> _flows = [];
    private readonly Dictionary<IActorRef, IpEndpoint> _clients = [];
    private bool _isFull;
    private long _accepted;
    private long _refused;
    private long _failed;
    private long _dropped;

    /// <summary>The most clients at a time. A smaller limit ends none of those that are there.</summary>
    public int Limit { get; set; } = limit;

    public void Drop(int count = 1) => _dropped += count;

    public void Fail() => _failed++;

    /// <summary>Passes a datagram to its client's actor, or drops it if there is no room for another client.</summary>
    /// <param name="flow">Makes the props of the actor for a new client.</param>
    /// <returns>False: to be logged as a refusal. True also for later datagrams that find no room: a log entry for each would be too much.</returns>
    public bool Pass(IpEndpoint client, PacketBuffer data, Func<IpEndpoint, Props> flow)
    {
        if (!_flows.TryGetValue(client, out var actor))
        {
            if (_flows.Count >= Limit)
            {
                _refused++;
                _dropped++;
                data.Release();
                var isNews = !_isFull;
                _isFull = true;
                return !isNews;
            }

            _accepted++;
            actor = context.Watch(context.ActorOf(flow(client)));
            _flows.Add(client, actor);
            _clients.Add(actor, client);
        }

        actor.Tell(new FlowDatagram(client, data));
        return true;
    }

    public void Remove(IActorRef flow)
    {
        if (_clients.Remove(flow, out var client))
            _flows.Remove(client);
        _isFull = false;
    }

    public PortStatus Status(string name) => new(name, _flows.Count, _accepted, _refused, _failed, _dropped);
}
