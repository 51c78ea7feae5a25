using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>
/// A DHCPv6 client of one interface without sockets and clock (RFC 8415, 18.2): non-temporary addresses, or what there is without (stateless). Nobody else's use of an address is looked for here: the stack
/// does that when it gets the address (RFC 4862, 5.4), and its owner tells <see cref="DuplicateFound"/>.
/// </summary>
public sealed partial class Dhcp6Client : IDhcpClient
{
    /// <inheritdoc cref="DhcpClient.SecretLength"/>
    public const int SecretLength = KeyedRandom.SecretLength;

    /// <summary>Messages without an answer before <see cref="DhcpUnanswered"/>.</summary>
    private const int Patience = 3;

    private readonly Dhcp6ClientOptions _options;
    private readonly KeyedRandom _random;
    private readonly Queue<DhcpEvent> _events = new();
    private readonly List<HeldAddress> _held = [];
    private RouterAdvice _advice;
    private uint _transaction;

    /// <summary>Of the exchange: how it is repeated, its messages so far, the last pause, its begin, and when the next thing is to be done.</summary>
    private Retransmission _plan;
    private int _sends;
    private TimeSpan _pause;
    private Instant _began;
    private Instant _due = Instant.Never;

    /// <summary>The best advertisement so far, or what was had before; null: none.</summary>
    private Dhcp6Lease? _wanted;
    private int _preference;
    private TimeSpan _wantedLeft;
    private Instant _wantedAt;

    /// <summary>Addresses that are asked for again, and the one that is declined.</summary>
    private IReadOnlyList<IpAddress> _hints = [];
    private (IpAddress Address, ReadOnlyMemory<byte> Server) _declined;

    private (IReadOnlyList<IpAddress> NameServers, IReadOnlyList<string> Domains) _information = ([], []);
    private Dhcp6Configuration _told = Dhcp6Configuration.Nothing;
    private LeaseTimes _times = LeaseTimes.None;
    private TimeSpan _solicitMaxRt = Dhcp6Times.MaxRt;
    private TimeSpan _informationMaxRt = Dhcp6Times.MaxRt;
    private bool _isDown;
    private bool _hasComplained;
    private int _refusals;

    /// <param name="secret">Transactions and pauses derive from it; nobody else may know it.</param>
    /// <exception cref="ArgumentException">The secret is not <see cref="SecretLength"/> bytes long.</exception>
    public Dhcp6Client(Dhcp6ClientOptions options, ReadOnlySpan<byte> secret)
    {
        _options = options;
        _random = new KeyedRandom(secret);
        _advice = options.FollowsRouters ? RouterAdvice.None : RouterAdvice.Addresses;
    }

    public DhcpCounters Counters { get; } = new();

    public Dhcp6State State { get; private set; } = Dhcp6State.Stopped;

    /// <summary>What the interface has; null: nothing.</summary>
    public Dhcp6Lease? Lease { get; private set; }

    /// <summary>The address from which the last answer came; unspecified: there was none.</summary>
    public IpAddress Server { get; private set; }

    /// <summary>The addresses that the interface has.</summary>
    public IEnumerable<IpAddress> Addresses => _held.Select(static held => held.Address);

    /// <inheritdoc/>
    public bool HasLease => Lease is not null;

    /// <inheritdoc/>
    public Instant Expires => Lease is null ? Instant.Never : _held.Aggregate(Instant.Zero, static (latest, held) => Instant.Max(latest, held.ValidUntil));

    /// <inheritdoc/>
    public Instant Renews => _times.Renews;

    /// <inheritdoc/>
    public Instant PollAt
    {
        get
        {
            if (State == Dhcp6State.Stopped)
                return Instant.Never;
            var next = Instant.Never;
            foreach (var held in _held)
                next = Instant.Min(next, held.NextDeadline);
            if (_isDown)
                return next;
            return Instant.Min(Instant.Min(next, _due), State switch
            {
                Dhcp6State.Bound => _times.Renews,
                Dhcp6State.Renewing => _times.Rebinds,
                _ => Instant.Never,
            });
        }
    }

    /// <summary>Begins.</summary>
    /// <param name="kept">The lease that the client had when it ran last; null: none.</param>
    /// <param name="left">How long that one holds. Once it is over, its addresses are only wishes.</param>
    public void Start(Dhcp6Lease? kept, TimeSpan left, Instant now)
    {
        if (kept is not null)
        {
            _hints = [.. kept.Addresses.Select(static address => address.Address)];
            (_wanted, _wantedLeft, _wantedAt) = (kept, left, now);
        }

        Restart(now);
    }

    /// <summary>The routers of the link say something else. What is being asked for changes; a lease that is there stays until its end.</summary>
    public void Follow(RouterAdvice advice, Instant now)
    {
        if (!_options.FollowsRouters || advice == _advice)
            return;
        _advice = advice;
        if (State == Dhcp6State.Stopped || _isDown || Lease is not null || State == Dhcp6State.Declining)
            return;
        Restart(now);
    }

    /// <inheritdoc/>
    public void WireDown() => _isDown = true;

    /// <inheritdoc/>
    public void WireUp(Instant now)
    {
        if (!_isDown)
            return;
        _isDown = false;
        if (State == Dhcp6State.Stopped)
            return;
        Expire(now);
        if (Lease is not null)
            Begin(Dhcp6State.Confirming, Dhcp6Times.Confirm, now + Random(Dhcp6Times.MaxDelay));
        else
            Restart(now);
    }

    /// <inheritdoc/>
    public void Stop(bool release, Instant now)
    {
        if (release && Lease is { } lease && !_isDown)
        {
            Begin(Dhcp6State.Stopped, default, now);
            Send(Message(Dhcp6MessageType.Release, now) with { Server = lease.Server, Association = _options.Association, Addresses = [.. Addresses] });
            _events.Enqueue(new Dhcp6Released(lease));
        }

        Forget();
        Rest(Dhcp6State.Stopped);
    }

    /// <summary>The stack has found that another station has an address, and has given it up.</summary>
    public void DuplicateFound(IpAddress address, Instant now)
    {
        if (Lease is not { } lease || !_held.Exists(held => held.Address == address))
            return;
        _events.Enqueue(new Dhcp6Declined(address));
        Forget();
        _hints = [];
        _declined = (address, lease.Server);
        Configure();
        Begin(Dhcp6State.Declining, Dhcp6Times.Decline, now);
        Poll(now);
    }

    public void Poll(Instant now)
    {
        if (State == Dhcp6State.Stopped)
            return;
        Expire(now);
        if (_isDown)
            return;
        if (State == Dhcp6State.Bound && _times.Renews <= now)
            Begin(Dhcp6State.Renewing, Dhcp6Times.Renew, now);
        if (State == Dhcp6State.Renewing && _times.Rebinds <= now)
            Begin(Dhcp6State.Rebinding, Dhcp6Times.Rebind, now);
        if (_due <= now)
            Act(now);
    }

    public bool TryDequeue([NotNullWhen(true)] out DhcpEvent? next) => _events.TryDequeue(out next);

    /// <summary>Does what is due in this state, and decides when the next thing is.</summary>
    private void Act(Instant now)
    {
        if (State == Dhcp6State.Soliciting && _wanted is { } best)
        {
            RequestFrom(best, now);
        }
        else if (State == Dhcp6State.Informed)
        {
            Begin(Dhcp6State.Informing, Dhcp6Times.Information(_informationMaxRt), now + Random(Dhcp6Times.MaxDelay));
        }
        else if (_sends > 0 && (_sends == _plan.MostSends || (_plan.MostTime > TimeSpan.Zero && now >= _began + _plan.MostTime)))
        {
            GiveUp(now);
        }
        else
        {
            if (_sends == 0)
                _began = now;
            // An advertisement of a server may have changed how long the pauses become.
            if (State == Dhcp6State.Soliciting)
                _plan = Dhcp6Times.Solicit(_solicitMaxRt);
            Send(Question(now));
            _pause = _plan.Next(_pause, Fraction(), onlyMore: State == Dhcp6State.Soliciting);
            _due = now + _pause;
            if (_plan.MostTime > TimeSpan.Zero)
                _due = Instant.Min(_due, _began + _plan.MostTime);
            Complain();
        }
    }

    /// <summary>Nobody has answered, often enough.</summary>
    private void GiveUp(Instant now)
    {
        switch (State)
        {
            // RFC 8415, 18.2.3: an address that the interface has it keeps. Another one is looked for anew, since nobody vouches for it.
            case Dhcp6State.Confirming when Lease is not null:
                Rest(Dhcp6State.Bound);
                Poll(now);
                break;
            case Dhcp6State.Requesting when Lease is not null:
                Begin(Dhcp6State.Rebinding, Dhcp6Times.Rebind, now);
                Act(now);
                break;
            case Dhcp6State.Declining:
                SolicitAfter(Pause.AfterDecline, now);
                break;
            default:
                _wanted = null;
                Solicit(now);
                Poll(now);
                break;
        }
    }

    /// <summary>Asks for what the routers say is to be had.</summary>
    private void Restart(Instant now)
    {
        var left = _wantedAt + _wantedLeft - now;
        if (_advice == RouterAdvice.Addresses && _wanted is { } kept && State is Dhcp6State.Stopped or Dhcp6State.Idle or Dhcp6State.Informed or Dhcp6State.Informing && (kept.IsEndless || left > TimeSpan.Zero))
        {
            Begin(Dhcp6State.Confirming, Dhcp6Times.Confirm, now + Random(Dhcp6Times.MaxDelay));
            return;
        }

        switch (_advice)
        {
            case RouterAdvice.Addresses:
                _wanted = null;
                Solicit(now + Random(_options.FollowsRouters ? Dhcp6Times.MaxDelay : Pause.First));
                break;
            case RouterAdvice.OtherConfiguration:
                Begin(Dhcp6State.Informing, Dhcp6Times.Information(_informationMaxRt), now + Random(Dhcp6Times.MaxDelay));
                break;
            default:
                _information = ([], []);
                Rest(Dhcp6State.Idle);
                break;
        }

        Configure();
    }

    private void Solicit(Instant at)
    {
        _preference = -1;
        Begin(Dhcp6State.Soliciting, Dhcp6Times.Solicit(_solicitMaxRt), at);
    }

    private void SolicitAfter(TimeSpan pause, Instant now)
    {
        _wanted = null;
        if (_advice == RouterAdvice.Addresses)
            Solicit(now + pause + Random(Pause.Spread));
        else
            Restart(now);
    }

    private void RequestFrom(Dhcp6Lease lease, Instant now)
    {
        _wanted = lease;
        Begin(Dhcp6State.Requesting, Dhcp6Times.Request, now);
        Act(now);
    }

    /// <summary>Begins an exchange, with a transaction of its own (RFC 8415, 16.1).</summary>
    private void Begin(Dhcp6State state, Retransmission plan, Instant due)
    {
        State = state;
        _plan = plan;
        _sends = 0;
        _pause = TimeSpan.Zero;
        _began = due;
        _due = due;
        _transaction = _random.NextUInt32() & 0xFF_FFFF;
    }

    private void Rest(Dhcp6State state)
    {
        State = state;
        _sends = 0;
        _due = Instant.Never;
    }

    /// <summary>Addresses whose times are over are deprecated, or go.</summary>
    private void Expire(Instant now)
    {
        var hasChanged = _held.RemoveAll(held => held.ValidUntil <= now) > 0;
        foreach (var held in _held.Where(held => held.PreferredUntil <= now && !held.IsDeprecated))
        {
            held.IsDeprecated = true;
            hasChanged = true;
        }

        if (Lease is not null && _held.Count == 0)
            Lose(DhcpLoss.Expired, TimeSpan.Zero, now);
        else if (hasChanged)
            Configure();
    }

    /// <param name="pause">Until an address is looked for anew.</param>
    private void Lose(DhcpLoss reason, TimeSpan pause, Instant now)
    {
        if (Lease is not { } lost)
            return;
        _hints = reason == DhcpLoss.Refused ? [] : [.. lost.Addresses.Select(static address => address.Address)];
        Forget();
        _events.Enqueue(new Dhcp6Lost(lost, reason));
        _hasComplained = false;
        Configure();
        SolicitAfter(pause, now);
    }

    private void Forget()
    {
        Lease = null;
        _held.Clear();
        _times = LeaseTimes.None;
        _wanted = null;
    }

    /// <summary>Tells what the interface is to have, if that is not what was told last.</summary>
    private void Configure()
    {
        var (servers, domains) = Lease is { } lease && lease.NameServers.Count + lease.Domains.Count > 0 ? (lease.NameServers, lease.Domains) : _information;
        var next = new Dhcp6Configuration([.. _held.Select(static held => (held.Address, held.IsDeprecated))], servers, domains);
        if (next.IsSameAs(_told))
            return;
        _told = next;
        _events.Enqueue(new Dhcp6Configured(next));
    }

    private void Complain()
    {
        if (_hasComplained || _sends < Patience || State is not (Dhcp6State.Soliciting or Dhcp6State.Informing))
            return;
        _hasComplained = true;
        _events.Enqueue(new DhcpUnanswered());
    }

    private double Fraction() => _random.Next(1 << 20) / (double)(1 << 20);

    private TimeSpan Random(TimeSpan below) => new((long)Math.BigMul(_random.NextUInt64(), (ulong)below.Ticks, out _));
}
