using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>
/// A DHCP client of one interface without sockets and clock (RFC 2131, 4.4): messages and the time go in, <see cref="DhcpEvent"/>s come out. After every call events are to be
/// dequeued, and <see cref="Poll"/> is to be called at <see cref="PollAt"/>.
/// </summary>
public sealed partial class DhcpClient : IDhcpClient
{
    /// <summary>Bytes of the secret.</summary>
    public const int SecretLength = KeyedRandom.SecretLength;

    /// <summary>Messages without an answer before <see cref="DhcpUnanswered"/>.</summary>
    private const int Patience = 3;

    /// <summary>Requests for what has been offered, or was had before, until it is looked for anew (RFC 2131, 3.1 (5)).</summary>
    private const int MostRequests = 4;
    private const int MostReboots = 3;

    private readonly DhcpClientOptions _options;
    private readonly KeyedRandom _random;
    private readonly Queue<DhcpEvent> _events = new();
    private uint _transaction;

    /// <summary>When the client began to look for an address, and what it has said of it last ("secs" of a request are those of the discovery: RFC 2131, 4.4.1).</summary>
    private Instant _began;
    private ushort _seconds;

    /// <summary>Messages since the state began, and when the next thing is to be done.</summary>
    private int _sends;
    private Instant _due = Instant.Never;

    /// <summary>When the request was sent whose answer is awaited: the lease counts from there (RFC 2131, 4.4.1).</summary>
    private Instant _asked;

    /// <summary>What is asked for: offered, or had before.</summary>
    private DhcpLease? _wanted;
    private IpAddress? _hint;
    private LeaseTimes _times = LeaseTimes.None;
    private bool _isDown;
    private bool _hasComplained;
    private int _refusals;

    /// <param name="secret">Transactions and pauses derive from it; nobody else may know it.</param>
    /// <exception cref="ArgumentException">The secret is not <see cref="SecretLength"/> bytes long.</exception>
    public DhcpClient(DhcpClientOptions options, ReadOnlySpan<byte> secret)
    {
        _options = options;
        _random = new KeyedRandom(secret);
    }

    public DhcpCounters Counters { get; } = new();

    public DhcpState State { get; private set; } = DhcpState.Stopped;

    /// <summary>What the interface has; null: nothing.</summary>
    public DhcpLease? Lease { get; private set; }

    /// <inheritdoc/>
    public bool HasLease => Lease is not null;

    /// <inheritdoc/>
    public Instant Expires => _times.Expires;

    /// <inheritdoc/>
    public Instant Renews => _times.Renews;

    /// <inheritdoc/>
    public Instant PollAt => State == DhcpState.Stopped ? Instant.Never : _isDown ? _times.Expires : Instant.Min(_due, Instant.Min(_times.Expires, State switch
    {
        DhcpState.Bound => _times.Renews,
        DhcpState.Renewing => _times.Rebinds,
        _ => Instant.Never,
    }));

    /// <summary>Begins to look for an address.</summary>
    /// <param name="kept">The lease that the client had when it ran last (RFC 2131, 3.2); null: none.</param>
    /// <param name="left">How long that one holds. Once it is over, its address is only a wish.</param>
    public void Start(DhcpLease? kept, TimeSpan left, Instant now)
    {
        _hint = kept?.Address.Address;
        if (kept is not null && left > TimeSpan.Zero)
            Reboot(kept, now);
        else
            Begin(now + Random(Pause.First));
    }

    /// <inheritdoc/>
    public void WireDown() => _isDown = true;

    /// <summary>The wire is back, perhaps on another network: the servers are asked whether the address holds there (RFC 2131, 3.7).</summary>
    public void WireUp(Instant now)
    {
        if (!_isDown)
            return;
        _isDown = false;
        if (State == DhcpState.Stopped)
            return;
        if (_times.Expires <= now)
            Lose(DhcpLoss.Expired, now);
        if (Lease is { } lease)
            Reboot(lease, now);
        else
            Begin(now + Random(Pause.First));
    }

    /// <inheritdoc/>
    public void Stop(bool release, Instant now)
    {
        if (release && Lease is { } lease && !_isDown)
        {
            _transaction = _random.NextUInt32();
            Send(Message(DhcpMessageType.Release) with { ClientAddress = lease.Address.Address, Server = lease.Server }, lease.Address.Address, lease.Server);
            _events.Enqueue(new DhcpReleased(lease));
        }

        Lease = null;
        _times = LeaseTimes.None;
        Enter(DhcpState.Stopped, Instant.Never);
    }

    /// <summary>Somebody on the link has an address, or asks for it before he uses it (RFC 5227, 2.1.1).</summary>
    public void AddressHeard(IpAddress address, MacAddress by, Instant now)
    {
        if (State != DhcpState.Probing || address != _wanted!.Address.Address)
            return;
        _transaction = _random.NextUInt32();
        Send(Message(DhcpMessageType.Decline) with { RequestedAddress = address, Server = _wanted.Server }, IpAddress.AnyV4, IpAddress.BroadcastV4);
        _events.Enqueue(new DhcpDeclined(address, by));
        _hint = null;
        Begin(now + Pause.AfterDecline);
    }

    public void Poll(Instant now)
    {
        if (State == DhcpState.Stopped)
            return;
        if (_times.Expires <= now)
            Lose(DhcpLoss.Expired, now);
        if (_isDown)
            return;
        if (State == DhcpState.Bound && _times.Renews <= now)
        {
            _began = now;
            Enter(DhcpState.Renewing, now);
        }

        if (State == DhcpState.Renewing && _times.Rebinds <= now)
            Enter(DhcpState.Rebinding, now);
        if (_due <= now)
            Act(now);
    }

    public bool TryDequeue([NotNullWhen(true)] out DhcpEvent? next) => _events.TryDequeue(out next);

    /// <summary>Does what is due in this state, and decides when the next thing is.</summary>
    private void Act(Instant now)
    {
        switch (State)
        {
            case DhcpState.Init:
                _transaction = _random.NextUInt32();
                Enter(DhcpState.Selecting, now);
                Discover(now);
                break;
            case DhcpState.Selecting:
                Discover(now);
                break;
            case DhcpState.Requesting when _sends == MostRequests:
                Begin(now);
                Act(now);
                break;
            case DhcpState.Requesting:
                SendRequest(Message(DhcpMessageType.Request) with { Broadcast = true, RequestedAddress = _wanted!.Address.Address, Server = _wanted.Server }, IpAddress.AnyV4, IpAddress.BroadcastV4, now);
                break;
            case DhcpState.Rebooting when _sends == MostReboots:
                GiveUpReboot(now);
                break;
            case DhcpState.Rebooting:
                _seconds = SecondsAt(now);
                SendRequest(Message(DhcpMessageType.Request) with { Broadcast = true, RequestedAddress = _wanted!.Address.Address }, IpAddress.AnyV4, IpAddress.BroadcastV4, now);
                break;
            case DhcpState.Probing when _sends == Pause.Probes && (_wanted!.IsEndless || _asked + _wanted.Lifetime > now):
                Bind(_wanted);
                Poll(now);
                break;
            case DhcpState.Probing when _sends == Pause.Probes:
                Begin(now);
                Act(now);
                break;
            case DhcpState.Probing:
                _sends++;
                _events.Enqueue(new DhcpProbe(_wanted!.Address.Address));
                _due = now + (_sends == Pause.Probes ? Pause.AfterProbes : Pause.Probe + Random(Pause.Probe));
                break;
            case DhcpState.Renewing:
                Extend(Lease!.Server, _times.Rebinds, now);
                break;
            case DhcpState.Rebinding:
                Extend(IpAddress.BroadcastV4, _times.Expires, now);
                break;
        }
    }

    private void Discover(Instant now)
    {
        _seconds = SecondsAt(now);
        Send(Message(DhcpMessageType.Discover) with { Broadcast = true, RequestedAddress = _hint }, IpAddress.AnyV4, IpAddress.BroadcastV4);
        _due = now + Backoff();
        Complain();
    }

    private void SendRequest(DhcpMessage message, IpAddress source, IpAddress destination, Instant now)
    {
        if (_sends == 0)
            _asked = now;
        Send(message, source, destination);
        _due = now + Backoff();
    }

    /// <summary>Asks for more time. Each time is a transaction of its own, so that the lease counts from the request that was granted.</summary>
    private void Extend(IpAddress destination, Instant until, Instant now)
    {
        var own = Lease!.Address.Address;
        _transaction = _random.NextUInt32();
        _asked = now;
        _seconds = SecondsAt(now);
        Send(Message(DhcpMessageType.Request) with { ClientAddress = own }, own, destination);
        _due = now + Pause.BetweenExtensions(until - now, Lease.Lifetime);
    }

    /// <summary>Nobody has answered: an address that the interface has it keeps until its time is over; another one is looked for anew.</summary>
    private void GiveUpReboot(Instant now)
    {
        if (Lease is null)
        {
            Begin(now);
            Act(now);
            return;
        }

        Enter(DhcpState.Bound, Instant.Never);
        Poll(now);
    }

    private void Reboot(DhcpLease lease, Instant now)
    {
        _began = now;
        _wanted = lease;
        _transaction = _random.NextUInt32();
        Enter(DhcpState.Rebooting, now + Random(Pause.First));
    }

    private void Begin(Instant at)
    {
        _began = at;
        _wanted = null;
        Enter(DhcpState.Init, at);
    }

    private void Enter(DhcpState state, Instant due)
    {
        State = state;
        _sends = 0;
        _due = due;
    }

    private void Lose(DhcpLoss reason, Instant now)
    {
        if (Lease is not { } lost)
            return;
        Lease = null;
        _times = LeaseTimes.None;
        _hasComplained = false;
        _hint = reason == DhcpLoss.Refused ? null : lost.Address.Address;
        _events.Enqueue(new DhcpLost(lost, reason));
        Begin(now);
    }

    private void Bind(DhcpLease lease)
    {
        var before = Lease;
        Lease = lease;
        _times = LeaseTimes.Of(lease.RenewalTime, lease.RebindingTime, lease.Lifetime, _asked, _random);
        _hint = lease.Address.Address;
        _refusals = 0;
        _hasComplained = false;
        Enter(DhcpState.Bound, Instant.Never);
        _events.Enqueue(new DhcpBound(lease, before));
    }

    private void Complain()
    {
        if (_hasComplained || _sends < Patience)
            return;
        _hasComplained = true;
        _events.Enqueue(new DhcpUnanswered());
    }

    private DhcpMessage Message(DhcpMessageType type) => new()
    {
        Type = type,
        Transaction = _transaction,
        Hardware = _options.Hardware,
        ClientIdentifier = _options.ClientIdentifier,
        HostName = _options.HostName,
        Seconds = type is DhcpMessageType.Discover or DhcpMessageType.Request ? _seconds : (ushort)0,
        MaximumSize = (ushort)Math.Clamp(_options.Mtu, DhcpLease.LeastMtu, DhcpMessage.MaxLength + 28),
    };

    private void Send(DhcpMessage message, IpAddress source, IpAddress destination)
    {
        _sends++;
        Counters.Sent++;
        _events.Enqueue(new DhcpSend(message.Emit(), source, destination));
    }

    private ushort SecondsAt(Instant now) => now > _began ? (ushort)Math.Min((now - _began).TotalSeconds, ushort.MaxValue) : (ushort)0;

    /// <summary>4, 8, 16, 32 and 64 seconds, each one second more or less (RFC 2131, 4.1).</summary>
    private TimeSpan Backoff() => Pause.Shortest * (1 << Math.Min(_sends - 1, Pause.Doublings)) + Random(2 * Pause.Spread) - Pause.Spread;

    private TimeSpan Random(TimeSpan below) => new((long)Math.BigMul(_random.NextUInt64(), (ulong)below.Ticks, out _));
}
