using Akka.Actor;
using Akka.Event;
using Tapwire.Proxy;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>One UDP client of a forwarded port. It has a socket of its own on the other side, so that answers find it, and ends when nothing has passed for a
/// while.</summary>
internal abstract class FlowActor : OwningActor
{
    /// <summary>Datagrams that may wait until the destination is known; others are dropped.</summary>
    private const int MaxWaiting = 16;

    private readonly Destination _target;
    private readonly Queue<PacketBuffer> _waiting = new();

    protected FlowActor(ProxyContext context, IpEndpoint client, Destination target)
    {
        Proxy = context;
        Client = client;
        _target = target;
        Context.SetReceiveTimeout(context.Settings.Proxy.FlowIdle);
        Receive<Resolved>(resolved =>
        {
            if (resolved.Unzoned.Count > 0)
                Open(new IpEndpoint(resolved.Unzoned[0], target.Port));
            else
                Fail("its name is not known");
        });
        ReceiveCommon();
        Receive<FlowDatagram>(datagram =>
        {
            if (_waiting.Count < MaxWaiting)
            {
                _waiting.Enqueue(datagram.Data);
                return;
            }

            datagram.Release();
            Drop();
        });
    }

    protected ProxyContext Proxy { get; }

    /// <summary>Whose name the destination's is.</summary>
    protected virtual ResolveScope Scope => ResolveScope.Any;

    protected IpEndpoint Client { get; }

    protected ILoggingAdapter Log { get; } = Context.GetLogger();

    protected override void PreStart()
    {
        if (_target.Name is { } name)
            Proxy.Resolver.Tell(new Resolve(name) { Scope = Scope });
        else
            Open(new IpEndpoint(_target.Address, _target.Port));
    }

    protected override void PostStop()
    {
        while (_waiting.TryDequeue(out var data))
            data.Release();
    }

    /// <summary>Opens the socket towards the destination, and then calls <see cref="Opened"/> or <see cref="Fail"/>.</summary>
    protected abstract void Open(IpEndpoint target);

    /// <summary>Sends one datagram. The buffer passes to the callee.</summary>
    protected abstract void Send(PacketBuffer data);

    /// <summary>Handlers of the open flow, beside those for the client's datagrams.</summary>
    protected abstract void WhileOpen();

    /// <summary>The socket is open: datagrams that have waited are sent before others.</summary>
    protected void Opened()
    {
        Become(() =>
        {
            Receive<FlowDatagram>(datagram => Send(datagram.Data));
            WhileOpen();
            ReceiveCommon();
        });
        while (_waiting.TryDequeue(out var data))
            Send(data);
    }

    protected void Fail(string reason)
    {
        Proxy.Refusals.Inform(Log, "No datagrams from {Client} to {Target}: {Reason}", Client, _target, reason);
        Context.Parent.Tell(ConnectionFailed.Instance);
        if (_waiting.Count > 0)
            Context.Parent.Tell(new DatagramsDropped(_waiting.Count));
        Context.Stop(Self);
    }

    /// <summary>Gives the client a datagram.</summary>
    protected void Answer(PacketBuffer data) => Context.Parent.Tell(new FlowDatagram(Client, data));

    protected void Drop() => Context.Parent.Tell(new DatagramsDropped(1));

    private void ReceiveCommon()
    {
        Receive<ReceiveTimeout>(_ => Context.Stop(Self));
        Receive<Stopping>(_ => Context.Stop(Self));
    }
}
