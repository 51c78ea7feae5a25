using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Services;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Names;

/// <summary>What the name service of one address works with.</summary>
/// <param name="Names">Who looks names up: <see cref="NamesActor"/>.</param>
internal sealed record NameServiceContext(IpAddress Address, SocketContext Sockets, IActorRef Names)
{
    public const ushort Port = 53;
}

/// <summary>NameQuestionActor → its parent, last: the answer to a question.</summary>
/// <param name="To">Who has asked, by UDP.</param>
internal sealed record NameAnswered(IpEndpoint To, byte[] Message) : IDeadLetterSuppression;

/// <summary>One question of a station's: has the driver's resolver look the name up, as it does for everybody, from its settings, hosts file, cache and servers, and tells its parent <see cref="NameAnswered"/>.</summary>
internal sealed class NameQuestionActor : ReceiveActor
{
    /// <summary>Longer than the resolver takes; a station has given up before.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly IpEndpoint _to;
    private readonly IActorRef _names;
    private readonly Resolve _question;

    public NameQuestionActor(DnsRequest request, Resolve question, IActorRef names, IpEndpoint to, bool isStream)
    {
        (_question, _names, _to) = (question, names, to);
        Receive<Resolved>(resolved => Answer(request.Answer(resolved.Result, resolved.Addresses, resolved.CanonicalName, isStream)));
        Receive<ReceiveTimeout>(_ => Answer(request.Refuse(DnsResponseCode.ServerFailure)));
    }

    /// <summary>Has an actor answer the request.</summary>
    /// <param name="to">Who has asked, by UDP; by TCP nobody.</param>
    /// <returns>Null: the answer has been told already, because there is nothing to be looked up.</returns>
    public static IActorRef? Ask(IActorContext parent, NameServiceContext context, DnsRequest request, IpEndpoint to, bool isStream)
    {
        if (QuestionOf(request) is { } question)
            return parent.Watch(parent.ActorOf(Akka.Actor.Props.Create(() => new NameQuestionActor(request, question, context.Names, to, isStream)).WithDispatcher(context.Sockets.Dispatcher)));
        parent.Self.Tell(new NameAnswered(to, request.Refuse(request.Type == DnsType.Pointer ? DnsResponseCode.NoSuchName : DnsResponseCode.NotImplemented)));
        return null;
    }

    protected override void PreStart()
    {
        Context.SetReceiveTimeout(Patience);
        _names.Tell(_question);
    }

    private void Answer(byte[] message)
    {
        Context.Parent.Tell(new NameAnswered(_to, message));
        Context.Stop(Self);
    }

    /// <summary>Null: a type that the resolver does not look up.</summary>
    private static Resolve? QuestionOf(DnsRequest request) => request.Type switch
    {
        // The dot: the name is whole, and domains are for the station to add.
        DnsType.A => new Resolve($"{request.Name.ToString().TrimEnd('.')}.", LookupKind.AddressesV4),
        DnsType.Aaaa => new Resolve($"{request.Name.ToString().TrimEnd('.')}.", LookupKind.AddressesV6),
        DnsType.Pointer when request.ReversedAddress is { } address => new Resolve(address.ToString(), LookupKind.Name) { Scope = ResolveScope.Network },
        _ => null,
    };
}

/// <summary>
/// A name server on port 53 of one address of the stack, by UDP and TCP, for stations that have been told of it by DHCP or router advertisements. It passes on questions for addresses, and for names of addresses.
/// <para>States: Opening → Open. Without the port, which somebody else may have, it ends, and the log says so.</para>
/// </summary>
internal sealed class NameServiceActor : OwningActor
{
    /// <summary>Credit of the stack: datagrams that it may send here unasked.</summary>
    private const int Ahead = 32;

    /// <summary>Questions under way; more are dropped, and stations ask again.</summary>
    private const int MostQuestions = 256;

    private const int StreamBacklog = 64;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly NameServiceContext _context;
    private SocketId? _socket;
    private int _questions;

    public NameServiceActor(NameServiceContext context)
    {
        _context = context;
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            Become(() => Open(opened.Id));
        });
        Receive<DatagramOpenFailed>(failed => Fail("UDP", failed.Error));
        Receive<ServiceOpened>(Opened);
    }

    private IActorRef Stack => _context.Sockets.Stack;

    private IpEndpoint Local => new(_context.Address, NameServiceContext.Port);

    public static Props Props(NameServiceContext context) => Akka.Actor.Props.Create(() => new NameServiceActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart()
    {
        Stack.Tell(new OpenDatagram(Local, new UdpSocketOptions()));
        var connection = NameStreamActor.Props(_context).WithDispatcher(_context.Sockets.Dispatcher);
        Context.ActorOf(ServiceListenerActor.Props(Stack, "names", Local, StreamBacklog, connection).WithDispatcher(_context.Sockets.Dispatcher), "stream");
    }

    protected override void PostStop()
    {
        if (_socket is { } socket)
            Stack.Tell(new CloseDatagram(socket));
    }

    private void Open(SocketId id)
    {
        Receive<DatagramReceived>(datagram =>
        {
            var (cost, from) = (datagram.CreditUsed(), datagram.From);
            var isQuestion = DnsRequest.TryParse(datagram.Data.Span, out var request, out var refusal);
            datagram.Release();
            Stack.Tell(new ReceiveDatagrams(id, cost));
            if (refusal is not null)
                Send(id, from, refusal);
            if (!isQuestion || _questions == MostQuestions)
                return;
            if (NameQuestionActor.Ask(Context, _context, request!, from, isStream: false) is not null)
                _questions++;
        });
        Receive<NameAnswered>(answered => Send(id, answered.To, answered.Message));
        Receive<Terminated>(_ => _questions--);
        // A station that is gone.
        Receive<DatagramSent>(_ => { });
        Receive<DatagramError>(_ => { });
        Receive<Closed>(closed =>
        {
            _socket = null;
            Fail("UDP", closed.Reason);
        });
        Receive<ServiceOpened>(Opened);
    }

    private void Send(SocketId id, IpEndpoint to, byte[] message)
    {
        var data = _context.Sockets.Pool.Rent(message.Length, BufferPool.HeaderRoom);
        message.CopyTo(data.Append(message.Length));
        Stack.Tell(SendDatagram.Of(id, data, to));
    }

    private void Opened(ServiceOpened opened)
    {
        if (opened.Error != StackError.None)
            _log.Warning("Names are not served on {Local} by TCP: {Reason}", Local, opened.Error.Describe());
    }

    private void Fail(string by, StackError reason)
    {
        _log.Warning("Names are not served on {Local} by {Transport}: {Reason}", Local, by, reason.Describe());
        Context.Stop(Self);
    }
}
