using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Dhcp;

/// <summary>DhcpActor's answer to <see cref="GetStatus"/>.</summary>
internal sealed record DhcpReport(string Interface, LeaseStatus Lease);

/// <summary>What an interface's DHCP client works with.</summary>
/// <param name="Stack">The first shard's stack actor, which has the socket.</param>
/// <param name="Names">Whom the lease's name servers are told.</param>
/// <param name="Secret">What transactions derive from.</param>
internal sealed record DhcpContext(string Interface, DhcpSettings Settings, IActorRef Stack, IActorRef Names, TimeProvider Clock, byte[] Secret);

/// <summary>
/// The DHCP client of one interface: owns the engine (<see cref="DhcpClient"/>) and the file of the lease. What a lease brings, the driver's actor gives to all stacks (<see cref="LeaseChanges"/>).
/// <para>States: Loading, until the file has been read → Opening → Running; or Failed, where the interface cannot have a client.</para>
/// </summary>
internal sealed class DhcpActor : ReceiveActor, IWithTimers
{
    /// <summary>RFC 2132, 9.14, and RFC 4361, 6.1: kinds of client identifiers.</summary>
    private const byte IdentifierOfEthernet = 1;
    private const byte IdentifierOfNode = 255;

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly DhcpContext _context;
    private readonly LeaseStore _store;
    private readonly AppliedLease _applied;
    private readonly long _began;
    private DueTimer _due = new();

    // The last problem with the file, which is told once.
    private string? _problem;

    public DhcpActor(DhcpContext context)
    {
        _context = context;
        _began = context.Clock.GetTimestamp();
        _store = new LeaseStore(context.Settings.Directory(), context.Interface);
        _applied = new AppliedLease(context.Interface, Context.Parent, Self, this, _log);
        Receive<KeptLease>(kept =>
        {
            Complain(kept.Problem);
            context.Stack.Tell(new OpenDhcp(context.Interface));
            Become(() => Opening(kept));
        });
        ReceiveIdle("starting");
    }

    public ITimerScheduler Timers { get; set; } = null!;

    private Instant Now => new(_context.Clock.GetElapsedTime(_began).Ticks);

    public static Props Props(DhcpContext context) => Akka.Actor.Props.Create(() => new DhcpActor(context));

    protected override void PreStart()
    {
        _context.Names.Tell(new LeasedNames(_context.Interface, null));
        if (_store.KeepsNothing)
            Self.Tell(KeptLease.Nothing);
        else
            _store.ReadAsync().PipeTo(Self);
    }

    protected override void PostStop() => _context.Stack.Tell(new CloseDhcp(_context.Interface));

    private void Opening(KeptLease kept)
    {
        Receive<DhcpOpened>(opened =>
        {
            var client = new DhcpClient(OptionsOf(opened, kept.Duid), SHA256.HashData([.. _context.Secret, .. "dhcp"u8, .. Encoding.UTF8.GetBytes(_context.Interface)]));
            var left = kept.Lease is null ? TimeSpan.Zero : kept.Ends - _context.Clock.GetUtcNow();
            // A clock that was put back makes no lease longer.
            client.Start(kept.Lease, kept.Lease is { } lease && left > lease.Lifetime ? lease.Lifetime : left, Now);
            if (kept.Lease is not null && left > TimeSpan.Zero)
                _log.Info("{Interface}: asks by DHCP for {Address}, which it had before", _context.Interface, kept.Lease.Address);
            else
                _log.Info("{Interface}: looks for an address by DHCP", _context.Interface);
            Become(() => Running(client));
            Drain(client);
        });
        Receive<DhcpOpenFailed>(failed =>
        {
            _log.Error("{Interface}: there can be no DHCP client: {Reason}", _context.Interface, failed.Error == StackError.NotSupported ? "the wire is not Ethernet" : failed.Error.Describe());
            Become(() => ReceiveIdle("failed"));
        });
        ReceiveIdle("starting");
    }

    private void ReceiveIdle(string state)
    {
        Receive<GetStatus>(_ => Sender.Tell(new DhcpReport(_context.Interface, new LeaseStatus(state))));
        Receive<DhcpWire>(_ => { });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    private void Running(DhcpClient client)
    {
        Drained<DhcpReceived>(received => client.Received(received.Message.Span, Now));
        Drained<AddressHeard>(heard => client.AddressHeard(heard.Address, heard.By, Now));
        Drained<DhcpWire>(wire =>
        {
            if (wire.IsUp)
                client.WireUp(Now);
            else
                client.WireDown();
        });
        Drained<Due>(_ =>
        {
            _due.Fired();
            client.Poll(Now);
        });
        Drained<Stopping>(_ =>
        {
            var gives = _context.Settings.Release && client.Lease is not null;
            client.Stop(_context.Settings.Release, Now);
            if (gives)
                Timers.StartSingleTimer(LastWordsAreSaid.Instance, LastWordsAreSaid.Instance, StackActor.LastWords);
            else
                Context.Stop(Self);
        });
        Receive<LastWordsAreSaid>(_ => Context.Stop(Self));
        Receive<CommandAnswer>(_applied.Answered);
        Receive<AppliedLease.Again>(_ => _applied.GoOn());
        Receive<LeaseWritten>(written => Complain(written.Problem));
        Receive<GetStatus>(_ => Sender.Tell(new DhcpReport(_context.Interface, StatusOf(client))));

        // After each call the engine's wishes are carried out.
        void Drained<T>(Action<T> call) => Receive<T>(message =>
        {
            call(message);
            Drain(client);
        });
    }

    private void Drain(DhcpClient client)
    {
        while (client.TryDequeue(out var next))
            CarryOut(client, next);
        _due.Set(Timers, client.PollAt, Now);
    }

    private void CarryOut(DhcpClient client, DhcpEvent next)
    {
        var name = _context.Interface;
        switch (next)
        {
            case DhcpSend send:
                _context.Stack.Tell(new SendDhcp(name, send.Message, send.Source, send.Destination));
                break;
            case DhcpProbe probe:
                _context.Stack.Tell(new ProbeAddress(name, probe.Address));
                break;
            case DhcpBound { Before: { } before, Lease: var lease } when lease.IsSameAs(before):
                _log.Info("{Interface}: {Server} has given {Address} more time, {Lifetime}", name, lease.Server, lease.Address, LifetimeOf(lease));
                Keep(client);
                break;
            case DhcpBound { Lease: var lease }:
                _log.Info("{Interface}: has {Address} from {Server} for {Lifetime}{Rest}", name, lease.Address, lease.Server, LifetimeOf(lease), RestOf(lease));
                Take(lease);
                Keep(client);
                break;
            case DhcpLost lost:
                _log.Info("{Interface}: has lost {Address}, {Reason}; looks for another one", name, lost.Lease.Address, lost.Reason == DhcpLoss.Expired ? "whose time is over" : "which a server refuses");
                Take(null);
                Keep(client);
                break;
            case DhcpRefused refused:
                _log.Info("{Interface}: {Server} refuses what was asked for; looks for an address anew", name, refused.Server);
                break;
            case DhcpDeclined declined:
                _log.Info("{Interface}: {Address} is that of {Station} already, and is declined; looks for another one", name, declined.Address, declined.By);
                break;
            case DhcpUnanswered:
                _log.Info("{Interface}: no DHCP server has answered yet; goes on asking", name);
                break;
            case DhcpReleased released:
                _log.Info("{Interface}: has given {Address} back to {Server}", name, released.Lease.Address, released.Lease.Server);
                Keep(client);
                break;
        }
    }

    private void Take(DhcpLease? lease)
    {
        _applied.Want(lease);
        _context.Names.Tell(new LeasedNames(_context.Interface, lease is null ? null : ServersOf(lease)));
    }

    private static LeasedServers ServersOf(DhcpLease lease) => new([.. lease.NameServers], [.. lease.Domains]);

    private void Keep(DhcpClient client)
    {
        if (_store.KeepsNothing)
            return;
        var ends = client.Lease is null || client.Expires == Instant.Never ? DateTimeOffset.MaxValue : _context.Clock.GetUtcNow() + (client.Expires - Now);
        _store.WriteAsync(client.Lease, ends).PipeTo(Self);
    }

    private void Complain(string? problem)
    {
        if (problem is not null && problem != _problem)
            _log.Warning("{Interface}: leases are not kept for the next start: {Reason}", _context.Interface, problem);
        _problem = problem;
    }

    /// <summary>By RFC 4361 where the DUID can be kept, or where settings ask for the Ethernet address by that.</summary>
    private DhcpClientOptions OptionsOf(DhcpOpened opened, byte[]? duid)
    {
        var hardware = new byte[6];
        opened.Hardware.CopyTo(hardware);
        // Of the interface only its name stays from one start to the next.
        var node = SHA256.HashData(Encoding.UTF8.GetBytes(_context.Interface)).AsSpan(0, 4);
        byte[] identifier = _context.Settings.Identity == DhcpIdentity.Hardware || duid is null ? [IdentifierOfEthernet, .. hardware] : [IdentifierOfNode, .. node, .. duid];
        return new DhcpClientOptions
        {
            Hardware = opened.Hardware,
            ClientIdentifier = identifier,
            HostName = _context.Settings.HostName,
            Mtu = opened.Mtu,
        };
    }

    private LeaseStatus StatusOf(DhcpClient client) => new(client.State.ToString().ToLowerInvariant())
    {
        Address = client.Lease?.Address,
        Server = client.Lease?.Server,
        IsApplied = client.Lease is not null && _applied.IsDone,
        Expires = client.Expires == Instant.Never ? null : client.Expires - Now,
        Renews = client.Renews == Instant.Never ? null : client.Renews - Now,
        Sent = client.Counters.Sent,
        Received = client.Counters.Received,
        Dropped = [.. client.Counters.Drops.Select(static drop => KeyValuePair.Create(drop.Key.ToString(), drop.Value))],
    };

    private static string LifetimeOf(DhcpLease lease) => lease.IsEndless ? "ever" : Duration.Format(lease.Lifetime);

    private static string RestOf(DhcpLease lease)
    {
        var text = new StringBuilder();
        if (lease.Routes.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"; routes {string.Join(", ", lease.Routes.Select(static route => route.Gateway.IsUnspecified ? $"{route.Destination}" : $"{route.Destination} via {route.Gateway}"))}");
        if (lease.NameServers.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"; name servers {string.Join(", ", lease.NameServers)}");
        if (lease.Domains.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"; domains {string.Join(", ", lease.Domains)}");
        if (lease.Mtu > 0)
            text.Append(CultureInfo.InvariantCulture, $"; MTU {lease.Mtu}");
        return text.ToString();
    }

    /// <summary>The timer: the server's station may have had to be asked for by ARP before the address could be given back.</summary>
    private sealed class LastWordsAreSaid
    {
        public static readonly LastWordsAreSaid Instance = new();
    }
}
