using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Actors.Proxy;

/// <summary>
/// A connection that the stack has accepted for a service of the host. It connects to the service, and then leaves both connections to a child, a
/// <see cref="ConnectionActor"/>. Until then the stack's socket delivers nothing: received bytes wait within its window. If the service cannot be reached, the
/// peer gets RST.
/// <para>States: Resolving → Connecting → Joined.</para>
/// </summary>
internal sealed class ExposedConnectionActor : OwningActor, IWithTimers
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly ProxyContext _context;
    private readonly Accepted _accepted;
    private readonly Destination _target;
    private readonly bool _sendsProxyHeader;
    private HostStream? _stream;
    private bool _isJoined;

    public ExposedConnectionActor(ProxyContext context, Accepted accepted, ExposeSpec spec)
    {
        _context = context;
        _accepted = accepted;
        _target = spec.Target;
        _sendsProxyHeader = spec.SendsProxyHeader;
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="accepted">The actor's from now on.</param>
    public static Props Props(ProxyContext context, Accepted accepted, ExposeSpec spec) =>
        Akka.Actor.Props.Create(() => new ExposedConnectionActor(context, accepted, spec));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        Timers.StartSingleTimer(nameof(TookTooLong), TookTooLong.Instance, _context.Settings.Proxy.ConnectTimeout);
        if (_target.Name is not { } name)
        {
            Try([_target.Address], 0, StackError.HostUnreachable);
            return;
        }

        _context.Resolver.Tell(new Resolve(name) { Scope = ResolveScope.Host });
        Become(Resolving);
    }

    protected override void PostStop()
    {
        _stream?.Dispose();
        if (!_isJoined)
            _context.Stack.Tell(new Abort(_accepted.Id));
    }

    private void Resolving()
    {
        Receive<Resolved>(resolved => Try(resolved.Addresses, 0, StackError.HostUnreachable));
        ReceiveEnd();
    }

    /// <summary>Begins to connect to the first address, from <paramref name="index"/> on, to which that is possible.</summary>
    private void Try(IReadOnlyList<IpAddress> addresses, int index, StackError failure)
    {
        for (; index < addresses.Count; index++)
        {
            failure = HostStream.Connect(new IpEndpoint(addresses[index], _target.Port), out _stream);
            if (_stream is null)
                continue;
            _stream.Start(_context.Sockets.Reactor, Readiness.Writable, LinkReady.Tell, Self);
            Become(() => Connecting(addresses, index));
            return;
        }

        Fail(failure.Describe());
    }

    private void Connecting(IReadOnlyList<IpAddress> addresses, int index)
    {
        Receive<LinkReady>(_ =>
        {
            switch (_stream!.FinishConnecting())
            {
                case null:
                    return;
                case StackError.None:
                    Join();
                    return;
                case { } error:
                    _stream.Dispose();
                    _stream = null;
                    Try(addresses, index + 1, error);
                    return;
            }
        });
        ReceiveEnd();
    }

    private void ReceiveEnd()
    {
        Receive<TookTooLong>(_ => Fail("it does not answer (tapwire.proxy.connect-timeout)"));
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void Join()
    {
        // Nothing else is on the connection yet, so that the header fits.
        if (_sendsProxyHeader && !_stream!.TryWrite(ProxyProtocol.HeaderOf(_accepted.Remote, _accepted.Local)))
        {
            Fail("it has closed before it was told of the client");
            return;
        }

        Timers.CancelAll();
        var stream = _stream!.HandOver();
        _stream = null;
        _isJoined = true;
        var connection = Context.Watch(Context.ActorOf(_context.Connection));
        connection.Tell(new JoinSocket(_context.Sockets, stream, SocketFamily.V4, default, _accepted));
        Become(() =>
        {
            Receive<Terminated>(_ => Context.Stop(Self));
            Receive<SocketEnded>(_ => { });
            Receive<LinkReady>(_ => { }); // reported before the connection changed hands
            Receive<Stopping>(connection.Forward);
        });
    }

    private void Fail(string reason)
    {
        Context.Parent.Tell(ConnectionFailed.Instance);
        _context.Refusals.Inform(_log, "Reset {Remote}: the service {Target} cannot be reached: {Reason}", _accepted.Remote, _target, reason);
        Context.Stop(Self);
    }
}
