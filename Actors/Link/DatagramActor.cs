using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>
/// Joins one UDP socket of the stack, or one for echo messages, to one application's descriptor. Boundaries and addresses are kept in both directions. An application that reads slowly loses
/// datagrams in one place only: the stack's bounded receive queue of the socket, where they are counted.
/// <para>States: Unbound → Opening → Open.</para>
/// </summary>
internal sealed partial class DatagramActor : OwningActor, IWithUnboundedStash
{
    /// <summary>Credit of the stack: datagrams that it may send here before the application has taken any.</summary>
    private const int Ahead = 64;

    /// <summary>Datagrams that are refused per message, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 64;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private SocketContext _context;
    private readonly DatagramLink _link;
    private readonly SocketFamily _family;
    private readonly DatagramKind _kind;
    private readonly DatagramDelivery _delivery;
    private readonly DatagramOptions _extras;
    private readonly DatagramSending _sending;
    private readonly DatagramGroups _groups = new();
    private readonly Queue<(LinkSocketRequest Request, IActorRef Session)> _calls = new();
    private SocketId? _socket;
    private IpEndpoint _local;
    private byte? _interface;
    private IpEndpoint? _remote;
    private UdpSocketOptions _options = new();
    private SocketHints _hints;

    public DatagramActor(SocketContext context, DatagramLink link, SocketFamily family, DatagramKind kind)
    {
        _context = context;
        _link = link;
        _family = family;
        _kind = kind;
        _delivery = new DatagramDelivery(link, family);
        _extras = new DatagramOptions(family);
        _sending = new DatagramSending(link, context.Pool, _extras);
        Unbound();
    }

    public IStash Stash { get; set; } = null!;

    /// <param name="context">Of shard 0 for <see cref="DatagramKind.Echo"/>.</param>
    public static Props Props(SocketContext context, DatagramLink link, SocketFamily family, DatagramKind kind = DatagramKind.Udp) =>
        Akka.Actor.Props.Create(() => new DatagramActor(context, link, family, kind));

    protected override void PreStart() => _link.Start(_context.Reactor, Readiness.Readable, LinkReady.Tell, Self);

    protected override void PostStop()
    {
        CloseSocket();
        _delivery.Release();
        while (_calls.TryDequeue(out var call))
            call.Session.Tell(new LinkReply(call.Request.Failed(StackError.ConnectionAborted)));
        _link.Dispose();
        Context.Parent.Tell(new SocketEnded(_link.Handle));
    }

    private void CloseSocket()
    {
        if (_socket is { } socket)
            _context.Stack.Tell(new CloseDatagram(socket));
        _socket = null;
    }

    /// <summary>Before the first bind, connect or datagram. A connect or a datagram binds the socket to a port of the stack's choice.</summary>
    private void Unbound()
    {
        Receive<LinkCall>(call =>
        {
            switch (call.Request)
            {
                case LinkSocketRequest request when OtherKind(request) is { } other:
                    Sender.Tell(new LinkReply(other));
                    break;
                case BindRequest { Local.Family: SocketFamily.V6, Local.Endpoint.Address.IsV4: true } bind when _hints.IsV6Only:
                    Sender.Tell(new LinkReply(bind.Failed(StackError.InvalidArgument)));
                    break;
                case BindRequest bind:
                    _options = _options with { Sharing = _options.Sharing with { Owner = call.Peer.UserId, IsV6Only = IsV6Only } };
                    Open(bind.Local.Endpoint, (bind, Sender));
                    break;
                case ConnectRequest or PathRequest:
                    Open(Sockaddr.Wildcard(_family), null);
                    Stash.Stash();
                    break;
                case SetOptionRequest set when HasGroup(set):
                    if (DatagramGroups.Ask(set, null, _context.Stack) is { } refusal)
                        Sender.Tell(new LinkReply(refusal));
                    else
                        Become(() => FindingInterface(set, Sender));
                    break;
                case GetOptionRequest get when HasGroup(get):
                    Sender.Tell(new LinkReply(_groups.Get(get)));
                    break;
                case GetOptionRequest get when _extras.Has(get):
                    Sender.Tell(new LinkReply(_extras.Get(get)));
                    break;
                case GetOptionRequest or SetOptionRequest when !_extras.Has(call.Request) && Hint((LinkSocketRequest)call.Request) is { } hint:
                    Sender.Tell(new LinkReply(hint));
                    break;
                case SetOptionRequest set when _extras.SetEarly(set, ref _options) is { } answer:
                    Sender.Tell(new LinkReply(answer));
                    break;
                case GetOptionRequest get when !_extras.IsPathMtu(get) && LinkOptions.Map(get.Level, get.Name) is { } option:
                    var (error, value) = SocketOptions.GetUdp(_options, option);
                    Sender.Tell(new LinkReply(error == StackError.None ? LinkOptions.Encode(get, option, OrDefault(option, value)) : get.Failed(error)));
                    break;
                default:
                    AnswerHere((LinkSocketRequest)call.Request);
                    break;
            }
        });
        Receive<LinkReady>(ready =>
        {
            if ((ready.Readiness & Readiness.HangUp) != 0 && _link.IsHungUp())
            {
                Context.Stop(Self);
                return;
            }

            Open(Sockaddr.Wildcard(_family), null);
            Self.Tell(ready);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void Opened(SocketId id)
    {
        Receive<DatagramReceived>(datagram =>
        {
            _delivery.Enqueue(datagram);
            if (_delivery.Count > 1)
                return;
            if ((_extras.Parts & DatagramParts.SegmentSize) != 0)
                Self.Tell(LinkReady.Of(Readiness.Writable)); // behind the datagrams of the same batch, with which this one may go
            else
                Deliver(id);
        });
        Receive<DatagramError>(DeliverError);
        Receive<DatagramSent>(sent =>
        {
            if (sent.Error != StackError.None)
                _link.WriteError((int)sent.Error);
        });
        Receive<LinkReady>(ready =>
        {
            if ((ready.Readiness & Readiness.Writable) != 0)
                Deliver(id);
            if ((ready.Readiness & ~Readiness.Writable) != 0)
                ReadApplication(id);
        });
        Receive<DatagramConnected>(connected =>
        {
            if (_calls.TryDequeue(out var call) && call.Request is ConnectRequest connect)
                Connected(connect, connected, call.Session);
        });
        Receive<OptionAnswer>(answer =>
        {
            if (_calls.TryDequeue(out var call))
                call.Session.Tell(new LinkReply(OptionAnswered(call.Request, answer)));
        });
        Receive<PathFound>(path =>
        {
            if (_calls.TryDequeue(out var call))
                call.Session.Tell(new LinkReply(PathAnswered(call.Request, path)));
        });
        Receive<LinkCall>(call => Handle(id, (LinkSocketRequest)call.Request));
        Receive<Closed>(closed =>
        {
            _socket = null;
            _log.Debug("UDP socket {Local} has ended: {Reason}", _local, closed.Reason);
            Context.Stop(Self);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    /// <summary>Writes the application what it takes. For each datagram the stack gets credit for another.</summary>
    private void Deliver(SocketId id)
    {
        if (_delivery.Deliver(_extras.Parts, _local.Port) is > 0 and var delivered)
            _context.Stack.Tell(new ReceiveDatagrams(id, delivered));
    }

    private void ReadApplication(SocketId id)
    {
        switch (_sending.Read(id, _context.Stack))
        {
            case ReadResult.Data:
                Context.GoOnLater(LinkReady.TellReadable);
                break;
            case ReadResult.Empty:
                break;
            default:
                Context.Stop(Self);
                break;
        }
    }

    private void Handle(SocketId id, LinkSocketRequest request)
    {
        switch (request)
        {
            case GetOptionRequest or SetOptionRequest when OtherKind(request) is { } other:
                Sender.Tell(new LinkReply(other));
                break;
            case ConnectRequest connect:
                _calls.Enqueue((connect, Sender));
                _context.Stack.Tell(new ConnectDatagram(id, connect.Remote.Family == SocketFamily.Unspecified ? null : connect.Remote.Endpoint) { Zone = connect.Remote.Zone });
                break;
            case PathRequest path:
                _calls.Enqueue((path, Sender));
                _context.Stack.Tell(new FindPath(DestinationOf(path), _local.Address, _extras.DiscoveryOf(DestinationOf(path).IsV4)));
                break;
            case GetOptionRequest get when _extras.IsPathMtu(get) && _remote is { } remote:
                _calls.Enqueue((get, Sender));
                _context.Stack.Tell(new FindPath(remote.Address, _local.Address));
                break;
            case SetOptionRequest { Level: LinkOption.IpProtoIpV6, Name: LinkOption.IpV6V6Only } set:
                Sender.Tell(new LinkReply(set.Failed(StackError.InvalidArgument)));
                break;
            case SetOptionRequest { Level: LinkOption.IpProtoUdp, Name: LinkOption.UdpCork } cork when _extras.Has(cork):
                Sender.Tell(new LinkReply(_sending.Cork(id, _context.Stack, cork)));
                break;
            case SetOptionRequest set when HasGroup(set):
                if (DatagramGroups.Ask(set, id, _context.Stack) is { } refusal)
                    Sender.Tell(new LinkReply(refusal));
                else
                    _calls.Enqueue((set, Sender));
                break;
            case GetOptionRequest get when HasGroup(get):
                Sender.Tell(new LinkReply(_groups.Get(get)));
                break;
            case SetOptionRequest set when _extras.Has(set):
                var error = _extras.Set(set, out var forStack);
                if (error != StackError.None || forStack is not { } change)
                {
                    Sender.Tell(new LinkReply(error == StackError.None ? set.Done() : set.Failed(error)));
                    break;
                }

                _calls.Enqueue((set, Sender));
                _context.Stack.Tell(new SetOption(id, change.Option, change.Value));
                break;
            case GetOptionRequest get when _extras.Has(get):
                Sender.Tell(new LinkReply(_extras.Get(get)));
                break;
            case GetOptionRequest or SetOptionRequest when Hint(request) is { } hint:
                Sender.Tell(new LinkReply(hint));
                break;
            case SetOptionRequest set when LinkOptions.Map(set.Level, set.Name) is { } option:
                if (!LinkOptions.TryDecode(set.Level, option, set.Value.Span, out var value))
                {
                    Sender.Tell(new LinkReply(set.Failed(StackError.InvalidArgument)));
                    break;
                }

                _calls.Enqueue((set, Sender));
                _context.Stack.Tell(new SetOption(id, option, value));
                break;
            case GetOptionRequest get when !_extras.IsPathMtu(get) && LinkOptions.Map(get.Level, get.Name) is { } option:
                _calls.Enqueue((get, Sender));
                _context.Stack.Tell(new GetOption(id, option));
                break;
            default:
                AnswerHere(request);
                break;
        }
    }

    /// <summary>The request is about the socket's groups, and such an option is one of the socket's.</summary>
    private bool HasGroup(LinkRequest request) => DatagramGroups.Has(request) && OptionChecks.Refusal(request, LinkSocketType.Datagram, _family) == 0;

    private LinkAnswer? Hint(LinkSocketRequest request) => _hints.Answer(request, LinkSocketType.Datagram, _family);

    private void AnswerHere(LinkSocketRequest request)
    {
        switch (request)
        {
            case GetSockNameRequest name:
                Sender.Tell(new LinkReply(name.Named(Named(_local))));
                break;
            case GetPeerNameRequest peer:
                Sender.Tell(new LinkReply(_remote is { } remote ? peer.Named(Named(remote)) : peer.Failed(StackError.NotConnected)));
                break;
            case GetOptionRequest get when LinkOptions.Fixed(get.Level, get.Name, _family, LinkSocketType.Datagram, listens: false) is { } known:
                Sender.Tell(new LinkReply(get.Value(known)));
                break;
            case GetOptionRequest get when _extras.IsPathMtu(get):
                Sender.Tell(new LinkReply(get.Failed(StackError.NotConnected)));
                break;
            case GetOptionRequest or SetOptionRequest when DatagramOptions.AboutSharing(request, _options.Sharing) is { } sharing:
                Sender.Tell(new LinkReply(sharing));
                break;
            case GetOptionRequest or SetOptionRequest:
                Sender.Tell(new LinkReply(request.Failed(StackError.NoSuchOption)));
                break;
            case ListenRequest:
                Sender.Tell(new LinkReply(request.Failed(StackError.NotSupported)));
                break;
            case ShutdownRequest shutdown:
                Sender.Tell(new LinkReply(_remote is null ? shutdown.Failed(StackError.NotConnected) : shutdown.Done()));
                break;
            case CloseRequest close:
                CloseSocket(); // before the answer, which says that the port is free
                Sender.Tell(new LinkReply(close.Done()));
                Context.Stop(Self);
                break;
            default:
                Sender.Tell(new LinkReply(request.Failed(StackError.InvalidArgument)));
                break;
        }
    }

    /// <summary>The value of an option as the application reads it: the stack's default where the socket has none of its own.</summary>
    private int OrDefault(SocketOption option, int value) =>
        value == 0 && option == SocketOption.HopLimit ? _context.Defaults.HopLimit : value;

    private void Connected(ConnectRequest connect, DatagramConnected connected, IActorRef session)
    {
        (_local, _interface) = (connected.Local, connected.Interface);
        if (connected.Error != StackError.None)
        {
            session.Tell(new LinkReply(connect.Failed(connected.Error)));
            return;
        }

        _remote = connect.Remote.Family == SocketFamily.Unspecified ? null : connect.Remote.Endpoint;
        session.Tell(new LinkReply(connect.Connected(Named(_local))));
    }

    private LinkAnswer OptionAnswered(LinkSocketRequest request, OptionAnswer answer) => request switch
    {
        SetOptionRequest set when DatagramGroups.Has(set) => _groups.Done(set, answer.Error),
        _ when answer.Error != StackError.None => request.Failed(answer.Error),
        GetOptionRequest get => LinkOptions.Encode(get, LinkOptions.Map(get.Level, get.Name)!.Value, OrDefault(LinkOptions.Map(get.Level, get.Name)!.Value, answer.Value)),
        SetOptionRequest set => set.Done(),
        _ => request.Failed(StackError.InvalidArgument),
    };

    private LinkAnswer PathAnswered(LinkSocketRequest request, PathFound path) => request switch
    {
        _ when path.Error != StackError.None => request.Failed(path.Error),
        PathRequest asked => Found(asked, path, DestinationOf(asked).IsV4),
        GetOptionRequest get => get.Value(path.Mtu),
        _ => request.Failed(StackError.InvalidArgument),
    };

    private LinkAnswer Found(PathRequest asked, PathFound path, bool isV4) => asked.Found(
        _extras.PacketSize(path.Mtu, isV4), Math.Min(path.Least, _extras.PacketSize(ushort.MaxValue, isV4: false) - (Ipv6Header.Length - Ipv4Header.Length)), _extras.ReportsErrors,
        _extras.Segment, _extras.Fragments(isV4), !isV4, _kind == DatagramKind.Echo);

    private IpAddress DestinationOf(PathRequest path) =>
        path.Destination.Family == SocketFamily.Unspecified ? _remote?.Address ?? IpAddress.AnyV4 : path.Destination.Endpoint.Address;

    /// <summary>Tells the application an error. The stack reports those of both families if one is wanted; of the other, only a connected socket hears, and no more than the errno.</summary>
    private void DeliverError(DatagramError error)
    {
        if (error.Report is null || _extras.Reports(error.Report.Destination.Address.IsV4))
            _delivery.Deliver(error, _extras.Parts);
        else if (_remote is not null)
            _delivery.Deliver(error with { Report = null }, _extras.Parts);
    }

    /// <summary>What a socket for echo messages answers otherwise than one of UDP; null: nothing.</summary>
    private LinkAnswer? OtherKind(LinkSocketRequest request) => _kind == DatagramKind.Udp ? null : request switch
    {
        GetOptionRequest { Level: LinkOption.SolSocket, Name: LinkOption.SoProtocol } get => get.Value(_family == SocketFamily.V4 ? IpProtocol.Icmp : IpProtocol.Icmpv6),
        GetOptionRequest { Level: LinkOption.IpProtoUdp } => request.Failed(_family == SocketFamily.V6 ? StackError.NoSuchOption : StackError.NotSupported),
        SetOptionRequest { Level: LinkOption.IpProtoUdp } => request.Failed(StackError.NoSuchOption),
        _ => null,
    };

    private bool IsV6Only => _family == SocketFamily.V6 && _hints.IsV6Only;

    private Sockaddr Named(IpEndpoint endpoint) => InterfaceNumbers.Name(endpoint, _family, _interface);
}
