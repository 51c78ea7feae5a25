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
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Dhcp;

/// <summary>A DHCP client's answer to <see cref="GetStatus"/>.</summary>
internal sealed record DhcpReport(string Interface, bool IsV6, LeaseStatus Lease);

/// <summary>What an interface's DHCP client works with.</summary>
/// <param name="Stack">The first shard's stack actor, which has the socket.</param>
/// <param name="Names">Whom the lease's name servers are told.</param>
/// <param name="Secret">What transactions derive from.</param>
internal sealed record DhcpContext(string Interface, DhcpSettings Settings, IActorRef Stack, IActorRef Names, TimeProvider Clock, byte[] Secret)
{
    /// <summary>No other client of the interface can bring name servers: until this one does, names are not looked for elsewhere.</summary>
    public bool IsOnlySource { get; init; } = true;
}

/// <summary>
/// The DHCP client of one interface and family: owns the engine (<see cref="IDhcpClient"/>) and the file of the lease. What a lease brings, the driver's actor gives to all stacks (<see cref="LeaseChanges"/>).
/// <para>States: Loading, until the file has been read → Opening → Running; or Failed, where the interface cannot have a client.</para>
/// </summary>
internal abstract class DhcpClientActor : ReceiveActor, IWithTimers
{
    private readonly long _began;
    private readonly AppliedLease _applied;
    private readonly LeaseStore _store;
    private DueTimer _due = new();

    // The last problem with the file, which is told once.
    private string? _problem;

    /// <param name="file">The ending of the lease's file.</param>
    protected DhcpClientActor(DhcpContext context, string file)
    {
        DhcpContext = context;
        _began = context.Clock.GetTimestamp();
        _store = new LeaseStore(context.Settings.Directory(), context.Interface + file);
        _applied = new AppliedLease(context.Interface, Context.Parent, Self, this, Log);
        Receive<KeptLease>(kept =>
        {
            Complain(kept.Problem);
            context.Stack.Tell(OpenPort);
            Become(() => Opening(kept));
        });
        ReceiveIdle("starting");
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected ILoggingAdapter Log { get; } = Context.GetLogger();

    protected DhcpContext DhcpContext { get; }

    protected string Interface => DhcpContext.Interface;

    protected Instant Now => new(DhcpContext.Clock.GetElapsedTime(_began).Ticks);

    /// <summary>The stacks have what they shall have.</summary>
    protected bool IsApplied => _applied.IsDone;

    /// <summary>Four bytes for the interface among those of the driver: of it only its name stays from one start to the next (RFC 8415, 12; RFC 4361, 6.1).</summary>
    protected ReadOnlySpan<byte> Association => SHA256.HashData(Encoding.UTF8.GetBytes(Interface)).AsSpan(0, 4);

    /// <summary>The question to the stack for the client's port, and that it be closed.</summary>
    protected abstract object OpenPort { get; }

    protected abstract object ClosePort { get; }

    /// <summary>Whom the name servers are from, as <see cref="NamesActor"/> knows it.</summary>
    protected abstract string NamesSource { get; }

    protected abstract bool IsV6 { get; }

    /// <summary>State: the stack has been asked for the port. Ends with <see cref="Run"/>, or <see cref="Fail"/>.</summary>
    protected abstract void Opening(KeptLease kept);

    protected abstract void CarryOut(DhcpEvent next);

    protected abstract LeaseStatus StatusOf();

    protected override void PreStart()
    {
        if (DhcpContext.IsOnlySource)
            DhcpContext.Names.Tell(new LeasedNames(NamesSource, null));
        if (_store.KeepsNothing)
            Self.Tell(KeptLease.Nothing);
        else
            _store.ReadAsync().PipeTo(Self);
    }

    protected override void PostStop() => DhcpContext.Stack.Tell(ClosePort);

    protected byte[] SecretOf(string use) => SHA256.HashData([.. DhcpContext.Secret, .. Encoding.UTF8.GetBytes(use), .. Encoding.UTF8.GetBytes(Interface)]);

    protected void ReceiveIdle(string state)
    {
        Receive<GetStatus>(_ => Sender.Tell(new DhcpReport(Interface, IsV6, new LeaseStatus(state))));
        Receive<DhcpWire>(_ => { });
        Receive<RouterAdvised>(_ => { });
        Receive<DuplicateHeard>(_ => { });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    protected void Fail(string reason)
    {
        Log.Error("{Interface}: there can be no {Client} client: {Reason}", Interface, IsV6 ? "DHCPv6" : "DHCP", reason);
        Become(() => ReceiveIdle("failed"));
    }

    /// <summary>Enters the state in which the engine runs.</summary>
    /// <param name="more">Registers what else comes, each by <see cref="Drained"/>.</param>
    protected void Run(IDhcpClient client, Action more)
    {
        Become(() =>
        {
            more();
            Drained<DhcpWire>(client, wire =>
            {
                if (wire.IsUp)
                    client.WireUp(Now);
                else
                    client.WireDown();
            });
            Drained<Due>(client, _ =>
            {
                _due.Fired();
                client.Poll(Now);
            });
            Drained<Stopping>(client, _ =>
            {
                var gives = DhcpContext.Settings.Release && client.HasLease;
                client.Stop(DhcpContext.Settings.Release, Now);
                if (gives)
                    Timers.StartSingleTimer(LastWordsAreSaid.Instance, LastWordsAreSaid.Instance, StackActor.LastWords);
                else
                    Context.Stop(Self);
            });
            Receive<LastWordsAreSaid>(_ => Context.Stop(Self));
            Receive<CommandAnswer>(_applied.Answered);
            Receive<AppliedLease.Again>(_ => _applied.GoOn());
            Receive<LeaseWritten>(written => Complain(written.Problem));
            Receive<GetStatus>(_ => Sender.Tell(new DhcpReport(Interface, IsV6, StatusOf())));
        });
        Drain(client);
    }

    /// <summary>After each call the engine's wishes are carried out.</summary>
    protected void Drained<T>(IDhcpClient client, Action<T> call) => Receive<T>(message =>
    {
        call(message);
        Drain(client);
    });

    /// <summary>Gives the stacks what the interface is to have by the client; null: nothing.</summary>
    protected void Apply(LeasedConfiguration? configuration) => _applied.Want(configuration);

    protected void TellNames(LeasedServers? servers) => DhcpContext.Names.Tell(new LeasedNames(NamesSource, servers));

    /// <param name="message">The server's message; null: there is no lease.</param>
    /// <param name="expires">When the lease ends.</param>
    protected void Keep(ReadOnlyMemory<byte>? message, Instant expires)
    {
        if (_store.KeepsNothing)
            return;
        var ends = message is null || expires == Instant.Never ? DateTimeOffset.MaxValue : DhcpContext.Clock.GetUtcNow() + (expires - Now);
        _store.WriteAsync(message, ends).PipeTo(Self);
    }

    /// <summary>What the status says of either family's client.</summary>
    protected LeaseStatus StatusOf(string state, IDhcpClient client) => new(state)
    {
        IsApplied = client.HasLease && IsApplied,
        Expires = client.Expires == Instant.Never ? null : client.Expires - Now,
        Renews = client.Renews == Instant.Never ? null : client.Renews - Now,
        Sent = client.Counters.Sent,
        Received = client.Counters.Received,
        Dropped = [.. client.Counters.Drops.Select(static drop => KeyValuePair.Create(drop.Key.ToString(), drop.Value))],
    };

    protected static string LifetimeOf(TimeSpan lifetime) => lifetime == DhcpLease.Endless ? "ever" : Duration.Format(lifetime);

    protected static void AddNames(StringBuilder text, IReadOnlyList<IpAddress> servers, IReadOnlyList<string> domains)
    {
        if (servers.Count > 0)
            text.Append("; name servers ").AppendJoin(", ", servers);
        if (domains.Count > 0)
            text.Append("; domains ").AppendJoin(", ", domains);
    }

    private void Drain(IDhcpClient client)
    {
        while (client.TryDequeue(out var next))
            CarryOut(next);
        _due.Set(Timers, client.PollAt, Now);
    }

    private void Complain(string? problem)
    {
        if (problem is not null && problem != _problem)
            Log.Warning("{Interface}: leases are not kept for the next start: {Reason}", Interface, problem);
        _problem = problem;
    }

    /// <summary>The timer: the server's station may have had to be asked for before the address could be given back.</summary>
    private sealed class LastWordsAreSaid
    {
        public static readonly LastWordsAreSaid Instance = new();
    }
}
