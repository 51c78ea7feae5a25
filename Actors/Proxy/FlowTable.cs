using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>The UDP clients of one port: for each an actor that remembers it until it has been silent for a while, up to a limit. It counts for the port's status.</summary>
internal sealed class FlowTable(IActorContext context, int limit)
{
    private readonly Dictionary<IpEndpoint, IActorRef> _flows = [];
    private readonly Dictionary<IActorRef, IpEndpoint> _clients = [];
    private bool _isFull;
    private long _accepted;
    private long _refused;
    private long _failed;
    private long _dropped;

    /// <summary>Clients at a time. Those that are there stay when it becomes smaller.</summary>
    public int Limit { get; set; } = limit;

    public void Drop(int count = 1) => _dropped += count;

    public void Fail() => _failed++;

    /// <summary>Hands a client's datagram to its actor, or drops it where there is no room for another client.</summary>
    /// <param name="flow">Makes the props of the actor for a client that is new.</param>
    /// <returns>False if this is the first client that finds no room since there was some: a refusal to be logged, where each datagram would be too much.</returns>
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
