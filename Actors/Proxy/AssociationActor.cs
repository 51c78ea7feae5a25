using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Proxy;

/// <summary>
/// The relay of one SOCKS client's datagrams (RFC 1928, 7): a UDP socket of the host towards the client, and one of the stack towards all destinations. Fragments are
/// dropped, as the RFC allows. The session's actor stops it.
/// </summary>
internal sealed class AssociationActor : OwningActor, IWithTimers
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 64;

    /// <summary>Datagrams read from the client per message, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 64;

    /// <summary>Limit of the cached names, and of the datagrams that wait for a look-up.</summary>
    private const int MaxNames = 64;

    private readonly ProxyContext _context;
    private readonly HostDatagramSocket _relay;
    private readonly Dictionary<string, IpAddress?> _names = [];
    private readonly List<(Destination To, PacketBuffer Data)> _waiting = [];

    // The address is that of the client's TCP connection. The port is the one that the client has named, or else that of its first datagram.
    private IpEndpoint _client;
    private SocketId? _socket;

    public AssociationActor(ProxyContext context, HostDatagramSocket relay, IpEndpoint client)
    {
        _context = context;
        _relay = relay;
        _client = client;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            context.Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            relay.Start(context.Sockets.Reactor, LinkReady.To(Self));
            Context.Parent.Tell(new AssociationOpened(relay.Local, StackError.None));
            Become(() => Open(opened.Id));
        });
        Receive<DatagramOpenFailed>(failed =>
        {
            Context.Parent.Tell(new AssociationOpened(default, failed.Error));
            Context.Stop(Self);
        });
    }

    public ITimerScheduler Timers { get; set; } = null!;

    /// <param name="relay">The actor's from now on.</param>
    /// <param name="client">Who may send. With port 0 the first datagram decides the port.</param>
    public static Props Props(ProxyContext context, HostDatagramSocket relay, IpEndpoint client) =>
        Akka.Actor.Props.Create(() => new AssociationActor(context, relay, client));

    protected override void PreStart() => _context.Stack.Tell(new OpenDatagram(new IpEndpoint(IpAddress.Unspecified, 0), new UdpSocketOptions()));

    protected override void PostStop()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new CloseDatagram(socket));
        foreach (var (_, data) in _waiting)
            data.Release();
        _relay.Dispose();
    }

    private void Open(SocketId id)
    {
        Receive<LinkReady>(_ => ReadClient(id));
        Receive<DatagramReceived>(datagram =>
        {
            Span<byte> header = stackalloc byte[SocksDatagram.MaxHeader];
            var length = SocksDatagram.Write(header, datagram.From);
            if (_client.Port == 0 || _relay.Send(header[..length], datagram.Data, _client) != StackError.None)
                Drop();
            _context.Stack.Tell(new ReceiveDatagrams(id, datagram.CreditUsed()));
            datagram.Release();
        });
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                Drop();
        });
        Receive<Resolved>(resolved => SendWaiting(id, resolved));
        Receive<DatagramError>(_ => { }); // of a socket that is connected, which this one is not
        Receive<Closed>(_ =>
        {
            _socket = null;
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void ReadClient(SocketId id)
    {
        for (var reads = 0; reads < ReadsPerTurn; reads++)
        {
            switch (_relay.Read(_context.Sockets.Pool, BufferPool.HeaderRoom, out var data, out var from))
            {
                case ReadResult.Data:
                    Relay(id, data!, from);
                    break;
                case ReadResult.Empty:
                    return;
            }
        }

        Context.GoOnLater(LinkReady.TellReadable);
    }

    private void Relay(SocketId id, PacketBuffer data, IpEndpoint from)
    {
        if (from.Address != _client.Address || (_client.Port != 0 && from.Port != _client.Port)
            || SocksDatagram.TryRead(data.Span, out var to, out var header) != ParseStatus.Complete)
        {
            data.Release();
            Drop();
            return;
        }

        _client = from;
        data.TrimStart(header);
        if (to.Name is not { } name)
            Send(id, data, to.Address, to.Port);
        else if (_names.TryGetValue(name, out var known) && known is { } address)
            Send(id, data, address, to.Port);
        else
            Await(name, to, data);
    }

    /// <summary>Keeps a datagram until the address of its destination is known, or drops it if too many wait.</summary>
    private void Await(string name, Destination to, PacketBuffer data)
    {
        if (_waiting.Count == MaxNames)
        {
            data.Release();
            Drop();
            return;
        }

        _waiting.Add((to, data));
        if (_names.ContainsKey(name))
            return; // the look-up is under way
        if (_names.Count >= MaxNames)
            ForgetNames();
        _names[name] = null;
        _context.Resolver.Tell(new Resolve(name));

        // No answer in time counts as a failed look-up. Otherwise the datagrams would wait for ever, and the name would never be looked up again.
        Timers.StartSingleTimer(name, new Resolved(name, []), _context.Settings.Proxy.ConnectTimeout);
    }

    /// <summary>Empties the cache. Names whose look-up is under way stay, since datagrams wait for them.</summary>
    private void ForgetNames()
    {
        foreach (var name in _names.Where(static entry => entry.Value is not null).Select(static entry => entry.Key).ToList())
            _names.Remove(name);
    }

    private void SendWaiting(SocketId id, Resolved resolved)
    {
        Timers.Cancel(resolved.Name);
        if (resolved.Unzoned.Count > 0)
            _names[resolved.Name] = resolved.Unzoned[0];
        else
            _names.Remove(resolved.Name);
        foreach (var (to, data) in _waiting.Where(waiting => waiting.To.Name == resolved.Name).ToList())
        {
            _waiting.Remove((to, data));
            if (resolved.Unzoned.Count > 0)
            {
                Send(id, data, resolved.Unzoned[0], to.Port);
                continue;
            }

            data.Release();
            Drop();
        }
    }

    private void Send(SocketId id, PacketBuffer data, IpAddress address, ushort port)
    {
        if (_context.Allows(address))
        {
            _context.Stack.Tell(SendDatagram.Of(id, data, new IpEndpoint(address, port)));
            return;
        }

        data.Release();
        Drop();
    }

    private void Drop() => Context.Parent.Tell(new DatagramsDropped(1));
}
