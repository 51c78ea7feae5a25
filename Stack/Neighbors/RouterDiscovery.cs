using System.Buffers.Binary;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Neighbors;

/// <summary>
/// The host's side of router discovery and address autoconfiguration on one interface (RFC 4861, 6.3; RFC 4862, 5.5; RFC 4191; RFC 7217; RFC 7559; RFC 8106; RFC 8981). Whoever is on the
/// link can send advertisements: all tables are bounded, what exceeds them is counted, and a router can take away only what a router has given.
/// </summary>
internal sealed class RouterDiscovery : Timer
{
    /// <summary>Entries of each table.</summary>
    public const int MaxRouters = 16;
    public const int MaxPrefixes = 16;
    public const int MaxRoutes = 32;
    public const int MaxServers = 8;
    public const int MaxDomains = 8;

    /// <summary>RTR_SOLICITATION_INTERVAL of RFC 4861, 10, and the longest pause of RFC 7559, 2.</summary>
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan LongestPause = TimeSpan.FromHours(1);

    /// <summary>MAX_RTR_SOLICITATION_DELAY.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);

    private static readonly IpPrefix Everywhere = new(IpAddress.Unspecified, 0);

    private readonly IAutoconfigured _stack;
    private readonly TimerWheel _timers;
    private readonly KeyedRandom _random;
    private readonly StackCounters _counters;
    private readonly AutoconfiguredAddresses _addresses;

    private readonly List<Route> _routes = [];
    private readonly List<(IpPrefix Prefix, Instant Until)> _onLink = [];
    private readonly List<(IpAddress Address, Instant Until)> _servers = [];
    private readonly List<(string Name, Instant Until)> _domains = [];
    private readonly Dictionary<IpPrefix, IpAddress> _installed = [];
    private Instant _solicitAt = Instant.Never;
    private TimeSpan _pause;

    public RouterDiscovery(AutoconfigurationOptions options, IAutoconfigured stack, TimerWheel timers, KeyedRandom random, SipHash temporary, StackCounters counters)
    {
        _stack = stack;
        _timers = timers;
        _random = random;
        _counters = counters;
        _addresses = new AutoconfiguredAddresses(options, stack, temporary, counters);
    }

    /// <summary>Changes whenever name servers or search domains do.</summary>
    public int NamesVersion { get; private set; }

    /// <summary>Name servers that routers have named (RFC 8106, 5.1).</summary>
    public IEnumerable<IpAddress> Servers => _servers.Select(static s => s.Address);

    /// <summary>Search domains that routers have named (RFC 8106, 5.2).</summary>
    public IEnumerable<string> Domains => _domains.Select(static d => d.Name);

    /// <summary>Hop limit for packets of this interface; 0: the stack's.</summary>
    public byte HopLimit { get; private set; }

    /// <summary>What routers say that the link takes, in bytes; 0: they say nothing.</summary>
    public int Mtu { get; private set; }

    /// <summary>What routers have said about DHCPv6 since the link came up. It only grows: a host goes on with what it has begun (RFC 4862, 5.5.2 as RFC 2462 had it), and routers may differ.</summary>
    public RouterAdvice Advice { get; private set; }

    /// <summary>How long an answer confirms a neighbour; zero: no router has said it (RFC 4861, 6.3.4).</summary>
    public TimeSpan ReachableTime { get; private set; }

    /// <summary>Between two solicitations; zero: no router has said it.</summary>
    public TimeSpan RetransmitTime { get; private set; }

    /// <summary>An on-link prefix is a router's gift: the route to it stays when the interface's address in it goes.</summary>
    public bool IsOnLink(IpPrefix prefix) => _onLink.Exists(p => p.Prefix.Length == prefix.Length && p.Prefix.Network == prefix.Network);

    /// <summary>The address was made here, of a router's prefix.</summary>
    public bool HasMade(IpAddress address) => _addresses.Has(address);

    /// <inheritdoc cref="AutoconfiguredAddresses.TryTakeChange"/>
    public bool TryTakeChange(out AutoconfiguredAddress change) => _addresses.TryTakeChange(out change);

    /// <summary>Asks for routers: the link has come up.</summary>
    public void Start(Instant now)
    {
        _pause = TimeSpan.Zero;
        Advice = RouterAdvice.None;
        _solicitAt = now + LongestDelay * (_random.Next(1024) / 1024.0);
        Arm();
    }

    /// <summary>Forgets all that routers have said. Addresses go, and their connections end.</summary>
    public void Stop(Instant now)
    {
        _timers.Cancel(this);
        _solicitAt = Instant.Never;
        Advice = RouterAdvice.None;
        ReachableTime = RetransmitTime = TimeSpan.Zero;
        _addresses.Clear(now);
        _routes.Clear();
        Install();
        foreach (var (prefix, _) in _onLink)
            _stack.RemoveRoute(prefix, IpAddress.Unspecified);
        _onLink.Clear();
        if (_servers.Count + _domains.Count > 0)
            NamesVersion++;
        _servers.Clear();
        _domains.Clear();
    }

    /// <param name="message">A router advertisement whose hop limit and code are right.</param>
    /// <returns>False: it is malformed, or no router's.</returns>
    public bool TryReceive(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now)
    {
        if (!info.Source.IsLinkLocal || !RouterAdvertisement.TryParse(message, out var advertisement) || !NdpOption.AreWellFormed(message[RouterAdvertisement.Length..]))
            return false;
        _counters.NdpInRouterAdvertisements++;
        if (advertisement.Lifetime > TimeSpan.Zero)
            _solicitAt = Instant.Never;
        if (advertisement.HopLimit != 0)
            HopLimit = advertisement.HopLimit;
        if (advertisement.ReachableTime > TimeSpan.Zero)
            ReachableTime = advertisement.ReachableTime;
        if (advertisement.RetransmitTime > TimeSpan.Zero)
            RetransmitTime = advertisement.RetransmitTime;
        Advice = (RouterAdvice)Math.Max((byte)Advice, (byte)advertisement.Advice);
        Take(new Route(Everywhere, info.Source, advertisement.Preference, now + advertisement.Lifetime), MaxRouters, now);
        var rest = message[RouterAdvertisement.Length..];
        while (NdpOption.TryTake(ref rest, out var option))
            Take(option, info.Source, now);
        Install();
        Arm();
        return true;
    }

    /// <summary>Another station has an address that was made here (RFC 4862, 5.4.5; RFC 7217, 6).</summary>
    public void Duplicate(IpAddress address, Instant now)
    {
        _addresses.Duplicate(address, now);
        Arm();
    }

    /// <summary>A router does not answer: the next best one gets the packets, until it answers again (RFC 4861, 6.3.6).</summary>
    public void Unreachable(IpAddress router)
    {
        for (var i = 0; i < _routes.Count; i++)
        {
            if (_routes[i].Gateway == router)
                _routes[i] = _routes[i] with { IsSilent = true };
        }

        Install();
    }

    protected internal override void Fire(Instant now)
    {
        if (now >= _solicitAt)
            Solicit(now);
        _addresses.Expire(now);
        _routes.RemoveAll(route => route.Until <= now);
        foreach (var (prefix, until) in _onLink.ToArray())
        {
            if (until <= now)
                DropOnLink(prefix);
        }

        if (_servers.RemoveAll(server => server.Until <= now) + _domains.RemoveAll(domain => domain.Until <= now) > 0)
            NamesVersion++;
        Install();
        Arm();
    }

    private void Solicit(Instant now)
    {
        _stack.SolicitRouters();
        // RFC 7559, 2: twice as long each time, up to an hour, a tenth more or less.
        _pause = _pause == TimeSpan.Zero ? FirstPause : TimeSpan.FromTicks(Math.Min(2 * _pause.Ticks, LongestPause.Ticks));
        _solicitAt = now + _pause * (0.9 + 0.2 * _random.Next(1024) / 1024.0);
    }

    private void Take(ReadOnlySpan<byte> option, IpAddress router, Instant now)
    {
        switch (option[0])
        {
            case NdpOption.PrefixInformation when PrefixInformation.TryParse(option, out var prefix):
                TakePrefix(prefix, now);
                break;
            case NdpOption.RouteInformation when RouteInformation.TryParse(option, out var route):
                Take(new Route(route.Prefix, router, route.Preference, Until(route.Lifetime, now)), MaxRoutes, now);
                break;
            case NdpOption.Mtu when option.Length == 8:
                var mtu = BinaryPrimitives.ReadUInt32BigEndian(option[4..]);
                if (mtu is >= Ipv6Header.MinimumMtu and <= ushort.MaxValue)
                    Mtu = (int)mtu;
                break;
            case NdpOption.RecursiveDnsServer when option.Length >= 24:
                for (var at = 8; at + 16 <= option.Length; at += 16)
                    TakeServer(NdpLifetime.AddressAt(option, at), Until(NdpLifetime.At(option, 4), now), now);
                break;
            case NdpOption.DnsSearchList when option.Length >= 16:
                TakeDomains(option[8..], Until(NdpLifetime.At(option, 4), now), now);
                break;
            case NdpOption.PrefixInformation or NdpOption.RouteInformation or NdpOption.Mtu or NdpOption.RecursiveDnsServer or NdpOption.DnsSearchList:
                _counters.NdpBadFormat++;
                break;
        }
    }

    private void TakePrefix(PrefixInformation prefix, Instant now)
    {
        if (prefix.IsOnLink)
        {
            var index = _onLink.FindIndex(p => p.Prefix == prefix.Prefix);
            if (prefix.ValidLifetime == TimeSpan.Zero)
            {
                DropOnLink(prefix.Prefix);
            }
            else if (index >= 0)
            {
                _onLink[index] = (prefix.Prefix, Until(prefix.ValidLifetime, now));
            }
            else if (HasRoom(_onLink.Count, MaxPrefixes))
            {
                _onLink.Add((prefix.Prefix, Until(prefix.ValidLifetime, now)));
                _stack.SetRoute(prefix.Prefix, IpAddress.Unspecified);
            }
        }

        if (prefix.IsAutonomous)
            _addresses.Take(prefix, now);
    }

    private void DropOnLink(IpPrefix prefix)
    {
        if (_onLink.RemoveAll(p => p.Prefix == prefix) > 0)
            _stack.RemoveRoute(prefix, IpAddress.Unspecified);
    }

    /// <summary>Notes a route, or that it has ended.</summary>
    private void Take(Route route, int most, Instant now)
    {
        var (destination, gateway, isDefault) = (route.Destination, route.Gateway, route.Destination == Everywhere);
        var index = _routes.FindIndex(r => r.Destination == destination && r.Gateway == gateway);
        if (route.Until <= now)
        {
            if (index >= 0)
                _routes.RemoveAt(index);
        }
        else if (index >= 0)
        {
            _routes[index] = route;
        }
        else if (HasRoom(_routes.Count(r => r.Destination == Everywhere == isDefault), most))
        {
            _routes.Add(route);
        }
    }

    /// <summary>Gives the stack the best route to each destination: of those that answer the most preferred, and of those the oldest.</summary>
    private void Install()
    {
        foreach (var (destination, gateway) in _installed.ExceptBy(_routes.Select(static r => r.Destination), static i => i.Key).ToArray())
        {
            _installed.Remove(destination);
            _stack.RemoveRoute(destination, gateway);
        }

        foreach (var group in _routes.GroupBy(static r => r.Destination))
        {
            var best = group.OrderBy(static r => r.IsSilent).ThenByDescending(static r => r.Preference).First();
            if ((_installed.TryGetValue(group.Key, out var now) && now == best.Gateway) || (now == default && _stack.HasRoute(group.Key)))
                continue;
            _installed[group.Key] = best.Gateway;
            _stack.SetRoute(group.Key, best.Gateway);
        }
    }

    private void TakeServer(IpAddress server, Instant until, Instant now)
    {
        if (server.IsV4 || server.IsUnspecified || server.IsMulticast)
        {
            _counters.NdpBadFormat++;
            return;
        }

        if (Take(_servers, server, until, MaxServers, now))
            NamesVersion++;
    }

    private void TakeDomains(ReadOnlySpan<byte> names, Instant until, Instant now)
    {
        while (DnsSearchList.TryTake(ref names, out var name))
        {
            if (Take(_domains, name, until, MaxDomains, now))
                NamesVersion++;
        }

        if (!names.IsEmpty)
            _counters.NdpBadFormat++;
    }

    /// <returns>True: the list has changed.</returns>
    private bool Take<T>(List<(T Value, Instant Until)> list, T value, Instant until, int most, Instant now)
        where T : IEquatable<T>
    {
        var index = list.FindIndex(entry => entry.Value.Equals(value));
        if (until <= now)
        {
            if (index >= 0)
                list.RemoveAt(index);
            return index >= 0;
        }

        if (index >= 0)
        {
            list[index] = (value, until);
            return false;
        }

        if (!HasRoom(list.Count, most))
            return false;
        list.Add((value, until));
        return true;
    }

    private bool HasRoom(int count, int most)
    {
        if (count < most)
            return true;
        _counters.NdpRouterTableFull++;
        return false;
    }

    private void Arm()
    {
        var next = Instant.Min(_solicitAt, _addresses.NextDeadline);
        foreach (var route in _routes)
            next = Instant.Min(next, route.Until);
        foreach (var (_, until) in _onLink)
            next = Instant.Min(next, until);
        foreach (var (_, until) in _servers)
            next = Instant.Min(next, until);
        foreach (var (_, until) in _domains)
            next = Instant.Min(next, until);
        if (next == Instant.Never)
            _timers.Cancel(this);
        else
            _timers.Arm(this, next);
    }

    private static Instant Until(TimeSpan lifetime, Instant now) => AutoconfiguredAddresses.Until(lifetime, now);

    /// <param name="IsSilent">The router does not answer.</param>
    private readonly record struct Route(IpPrefix Destination, IpAddress Gateway, RouterPreference Preference, Instant Until, bool IsSilent = false);
}
