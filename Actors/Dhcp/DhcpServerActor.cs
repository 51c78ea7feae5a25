using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Dhcp;

/// <summary>A DHCP server's answer to <see cref="GetStatus"/>.</summary>
internal sealed record DhcpServerReport(string Interface, ServedStatus Served);

/// <summary>What an interface's DHCP server works with.</summary>
/// <param name="Interface">Its name and addresses.</param>
/// <param name="Sockets">The first shard's stack actor, which has the ports.</param>
/// <param name="Names">Who answers the stations' questions for names.</param>
/// <param name="HostKey">What the choice of addresses derives from; it stays from start to start.</param>
internal sealed record DhcpServerContext(InterfaceSettings Interface, DhcpServerSettings Settings, SocketContext Sockets, IActorRef Names, TimeProvider Clock, byte[] HostKey)
{
    /// <summary>The stack forwards: the interface's address is the stations' way out.</summary>
    public bool IsRouter { get; init; }

    /// <summary>Domains in which stations look for short names.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];
}

/// <summary>
/// Serves the stations of one interface: gives them addresses by DHCP (<see cref="DhcpServer"/>), tells those that have made theirs what else there is by DHCPv6 (<see cref="Dhcp6Responder"/>), and answers their questions for
/// names (<see cref="NameServiceActor"/>) on the interface's addresses. Router advertisements are the stack's own.
/// <para>States: Opening → Running; or Failed, where the interface has no such ports.</para>
/// </summary>
internal sealed class DhcpServerActor : ReceiveActor, IWithTimers
{
    /// <summary>Leases in one status: it is one message.</summary>
    private const int MostShown = 512;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DhcpServerContext _context;
    private readonly long _began;
    private readonly IpPrefix? _address;
    private readonly List<IpAddress> _ownV6;
    private DueTimer _due = new();
    private DhcpServer? _server;
    private Dhcp6Responder? _responder;

    public DhcpServerActor(DhcpServerContext context)
    {
        _context = context;
        _began = context.Clock.GetTimestamp();
        _address = context.Interface.Addresses.Where(static own => own.Address.IsV4).Cast<IpPrefix?>().FirstOrDefault();
        _ownV6 = [.. context.Interface.Addresses.Where(static own => own.Address.IsV6 && !own.Address.IsLinkLocal).Select(static own => own.Address)];
        Receive<DhcpServerOpened>(opened =>
        {
            Become(Running);
            Open(opened);
        });
        Receive<DhcpOpenFailed>(failed =>
        {
            _log.Error("{Interface}: there can be no DHCP server: {Reason}", Name, failed.Error.Describe());
            Become(Idle);
        });
        Idle();
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private string Name => _context.Interface.Name;

    private IActorRef Stack => _context.Sockets.Stack;

    private Instant Now => new(_context.Clock.GetElapsedTime(_began).Ticks);

    public static Props Props(DhcpServerContext context) => Akka.Actor.Props.Create(() => new DhcpServerActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    protected override void PreStart() => Stack.Tell(new OpenDhcpServer(Name));

    protected override void PostStop() => Stack.Tell(new CloseDhcpServer(Name));

    private void Idle()
    {
        Receive<GetStatus>(_ => Sender.Tell(new DhcpServerReport(Name, ServedStatus.Nothing)));
        Receive<DhcpWire>(_ => { });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void Running()
    {
        Receive<DhcpServerReceived>(received =>
        {
            _server?.Receive(received.Message.Span, Now);
            Drain();
        });
        Receive<Dhcp6ServerReceived>(received =>
        {
            if (_responder?.Receive(received.Message.Span) is { } answer)
                Stack.Tell(new SendDhcp6Reply(Name, answer, received.Source));
        });
        Receive<Due>(_ =>
        {
            _due.Fired();
            _server?.Poll(Now);
            Drain();
        });
        // Leases stay when a machine goes: it may come back.
        Receive<DhcpWire>(_ => { });
        Receive<GetStatus>(_ => Sender.Tell(new DhcpServerReport(Name, StatusOf())));
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void Open(DhcpServerOpened opened)
    {
        if (_address is { } address)
            _server = new DhcpServer(OptionsOf(address, opened.Mtu));
        if (_ownV6.Count > 0)
            _responder = new Dhcp6Responder(Dhcp6.DuidOf(opened.Hardware), [.. _ownV6.Take(3)], _context.Domains);
        IEnumerable<IpAddress> served = _address is { } own ? [own.Address, .. _ownV6] : _ownV6;
        foreach (var each in served)
            Context.ActorOf(NameServiceActor.Props(new NameServiceContext(each, _context.Sockets, _context.Names)).WithDispatcher(_context.Sockets.Dispatcher));
        _log.Info("{Interface}: serves DHCP{Pool}, {Way}, name server {Servers}", Name, _address is { } network ? $", addresses of {network.Network}/{network.Length}" : "",
            _context.IsRouter ? "is the way out" : "no way out, since nothing is forwarded", string.Join(", ", served));
    }

    private DhcpServerOptions OptionsOf(IpPrefix address, int mtu)
    {
        return new DhcpServerOptions
        {
            Address = address,
            Reserved = [.. _context.Interface.Addresses.Concat(_context.Interface.PeerAddresses).Select(static own => own.Address).Where(static own => own.IsV4)],
            Router = _context.IsRouter ? address.Address : null,
            NameServers = [address.Address],
            Domains = _context.Domains,
            Mtu = mtu,
            LeaseTime = _context.Settings.LeaseTime,
            MostLeases = _context.Settings.MostLeases,
            Secret = HMACSHA256.HashData(_context.HostKey, Encoding.UTF8.GetBytes($"{Name}, DHCP")).AsMemory(0, DhcpServerOptions.SecretLength),
        };
    }

    private void Drain()
    {
        while (_server is not null && _server.TryDequeue(out var next))
        {
            switch (next)
            {
                case DhcpServerSend send:
                    Stack.Tell(new SendDhcpReply(Name, send, _address!.Value.Address));
                    break;
                case DhcpServed { Lease: var lease }:
                    _log.Info("{Interface}: {Address} is given to {Station}", Name, lease.Address, StationOf(lease));
                    break;
                case DhcpServedEnds { Lease: var lease, End: ServedEnd.Declined }:
                    _log.Warning("{Interface}: {Station} says that another station has {Address}, which is not given away for a while", Name, StationOf(lease), lease.Address);
                    break;
                case DhcpServedEnds { Lease: var lease, End: var end }:
                    _log.Info("{Interface}: {Address} is no longer that of {Station}, {Reason}", Name, lease.Address, StationOf(lease), end == ServedEnd.Expired ? "whose time is over" : "which has given it back");
                    break;
            }
        }

        _due.Set(Timers, _server?.PollAt ?? Instant.Never, Now);
    }

    private ServedStatus StatusOf()
    {
        var now = Now;
        var counters = new[] { _server?.Counters, _responder?.Counters }.OfType<DhcpServerCounters>().ToList();
        return new ServedStatus(
            [.. (_server?.Leases ?? []).Take(MostShown).Select(lease => new ServedLeaseStatus(lease.Address, lease.Hardware.ToString(), lease.Name, lease.Expires - now))],
            counters.Sum(static each => each.Received), counters.Sum(static each => each.Sent),
            [.. counters.SelectMany(static each => each.Drops).GroupBy(static drop => drop.Key).Select(static same => KeyValuePair.Create(same.Key.ToString(), same.Sum(static drop => drop.Value)))]);
    }

    private static string StationOf(ServedLease lease) => lease.Name.Length == 0 ? lease.Hardware.ToString() : $"{lease.Name} ({lease.Hardware})";
}
