using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors.Guests;

/// <summary>The driver's ports that lead to a guest, up to a limit. Each has an actor.</summary>
internal sealed class GuestPorts(IActorContext context)
{
    private const int Most = 64;

    private readonly Dictionary<IActorRef, PublishSpec> _ports = [];

    // By the port of the guest's, and the family of whom it speaks to; the first where several lead to the same.
    private readonly Dictionary<(ushort Port, bool IsV4), IActorRef> _datagrams = [];

    public IEnumerable<PublishSpec> Specs => _ports.Values;

    public static GuestAnswer Refusal(PublishSpec spec, StackError error) => new((int)error, $"The port of --publish {spec} cannot listen: {error.Describe()}.");

    /// <param name="port">Makes the props of the port's actor, which answers <paramref name="asker"/>.</param>
    public void Add(PublishSpec spec, Props port, IActorRef asker)
    {
        if (_ports.Count >= Most)
        {
            asker.Tell(new GuestAnswer(LinkErrno.Busy, $"A guest has at most {Most} published ports."));
            return;
        }

        var actor = context.Watch(context.ActorOf(port));
        _ports.Add(actor, spec);
        foreach (var end in DatagramEnds(spec))
            _datagrams.TryAdd(end, actor);
    }

    /// <summary>Passes a datagram that the guest has sent from a published port.</summary>
    /// <returns>False: it is from another port.</returns>
    public bool Pass(ForwardDatagram datagram)
    {
        if (!_datagrams.TryGetValue((datagram.Source.Port, datagram.Source.Address.IsV4), out var actor))
            return false;
        actor.Tell(datagram);
        return true;
    }

    /// <returns>False: the actor is no port's.</returns>
    public bool Remove(IActorRef actor)
    {
        if (!_ports.Remove(actor, out var spec))
            return false;
        foreach (var end in DatagramEnds(spec))
        {
            if (_datagrams.TryGetValue(end, out var first) && first.Equals(actor))
                _datagrams.Remove(end);
        }

        return true;
    }

    /// <summary>The guest's ends whose datagrams leave by a published port: those of both families where it is one of all addresses.</summary>
    private static IEnumerable<(ushort Port, bool IsV4)> DatagramEnds(PublishSpec spec)
    {
        if (spec.Transport != Transport.Udp)
            yield break;
        var address = spec.Listen.Address;
        if (address.IsUnspecified || address.IsV4)
            yield return (spec.Port, true);
        if (address.IsUnspecified || address.IsV6)
            yield return (spec.Port, false);
    }

    public void Stop()
    {
        foreach (var actor in _ports.Keys)
            actor.Tell(Stopping.Instance);
    }
}
