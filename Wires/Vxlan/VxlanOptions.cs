using System.Globalization;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires.Vxlan;

/// <summary>
/// A VXLAN device as the argument of its wire describes it, in the words of ip-link(8) and bridge(8): the identifier of the network, and behind slashes "remote=ADDRESS" for each peer, which may have a port of its own,
/// "local=ADDRESS", "dstport=PORT", "mtu=BYTES", "ageing=SECONDS", "maxaddress=NUMBER", "nolearning", and "fdb=MAC@ADDRESS" for an address that a peer has.
/// </summary>
/// <param name="Vni">The identifier of the network, 0..16777215.</param>
internal sealed record VxlanOptions(int Vni)
{
    /// <summary>The port that RFC 7348, 5 assigns.</summary>
    public const int DefaultPort = 4789;

    /// <summary>Each frame to a group is sent to so many at most.</summary>
    public const int MostRemotes = 1024;

    private const string Words = "remote=, local=, dstport=, mtu=, ageing=, maxaddress=, nolearning and fdb=";

    /// <summary>Who gets what is not for a known address.</summary>
    public IReadOnlyList<IpEndpoint> Remotes { get; init; } = [];

    /// <summary>Addresses that the settings give to peers.</summary>
    public IReadOnlyList<(MacAddress Address, IpEndpoint Remote)> Static { get; init; } = [];

    /// <summary>The host's address to use; null: the host chooses.</summary>
    public IpAddress? Local { get; init; }

    /// <summary>The own port, and that of peers without one of their own.</summary>
    public ushort Port { get; init; } = DefaultPort;

    /// <summary>Bytes; 0: what the host's network takes.</summary>
    public int Mtu { get; init; }

    public TimeSpan Ageing { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Addresses learned at once.</summary>
    public int MostAddresses { get; init; } = 4096;

    public bool Learns { get; init; } = true;

    /// <summary>Bytes that UDP, VXLAN and the inner Ethernet header take of an IP packet, the outer IP header of the peers' family included.</summary>
    public int Overhead => (Remotes.Concat(Static.Select(static each => each.Remote)).Any(static each => each.Address.IsV6) ? 40 : 20) + 8 + VxlanHeader.Length + 14;

    /// <exception cref="WireException">The argument is wrong; the message says where.</exception>
    public static VxlanOptions Parse(string argument)
    {
        var words = argument.Split('/');
        if (!TryNumber(words[0], VxlanHeader.MaxVni, out var vni))
            throw Bad(words[0], $"the identifier of a network, 0 to {VxlanHeader.MaxVni}");
        var options = new VxlanOptions(vni);
        // The port is needed to read the peers.
        foreach (var word in words.Skip(1))
            options = options.With(word);
        var remotes = new List<IpEndpoint>();
        var fixedAddresses = new List<(MacAddress, IpEndpoint)>();
        foreach (var word in words.Skip(1))
        {
            var parts = word.Split('=', 2);
            if (parts[0] == "remote")
                remotes.Add(EndpointOf(word, parts[1], options.Port));
            else if (parts[0] == "fdb")
                fixedAddresses.Add(StaticOf(word, parts[1], options.Port));
        }

        return (options with { Remotes = remotes, Static = fixedAddresses }).Checked();
    }

    private VxlanOptions With(string word)
    {
        var (name, value) = word.Split('=', 2) is [var key, var given] ? (key, given) : (word, "");
        return (name, value) switch
        {
            ("remote" or "fdb", not "") => this,
            ("nolearning", "") => this with { Learns = false },
            ("local", _) => IpAddress.TryParse(value, out var local) && !local.IsUnspecified && !local.IsMulticast ? this with { Local = local } : throw Bad(word, "an address of the host"),
            ("dstport", _) => TryNumber(value, ushort.MaxValue, out var port) && port > 0 ? this with { Port = (ushort)port } : throw Bad(word, "a port, 1 to 65535"),
            ("mtu", _) => TryNumber(value, 65000, out var mtu) && mtu >= 68 ? this with { Mtu = mtu } : throw Bad(word, "68 to 65000 bytes"),
            ("ageing", _) => TryNumber(value, 86400, out var ageing) && ageing > 0 ? this with { Ageing = TimeSpan.FromSeconds(ageing) } : throw Bad(word, "1 to 86400 seconds"),
            ("maxaddress", _) => TryNumber(value, 1 << 20, out var most) && most > 0 ? this with { MostAddresses = most } : throw Bad(word, "1 to 1048576 addresses"),
            _ => throw new WireException($"A VXLAN wire has no word '{word}'; there are {Words}."),
        };
    }

    private VxlanOptions Checked()
    {
        if (Remotes.Count == 0 && Static.Count == 0)
            throw new WireException($"The VXLAN wire {Vni} has no peer; name each with remote=ADDRESS, as in vxlan:{Vni}/remote=192.0.2.1.");
        if (Remotes.Count > MostRemotes)
            throw new WireException($"The VXLAN wire {Vni} has {Remotes.Count} remotes; {MostRemotes} are allowed.");
        if (Remotes.GroupBy(static each => each.Address).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new WireException($"The remote {twice.Key} is given twice; name each peer once.");
        if (Static.GroupBy(static each => each.Address).FirstOrDefault(static group => group.Count() > 1) is { } same)
            throw new WireException($"The Ethernet address {same.Key} is given to two peers with fdb=.");
        if (Local is { } local && Remotes.Concat(Static.Select(static each => each.Remote)).FirstOrDefault(each => each.Address.IsV4 != local.IsV4) is { Port: > 0 } other)
            throw new WireException($"The local address {local} and the remote {other.Address} are of two families.");
        return this;
    }

    private static (MacAddress, IpEndpoint) StaticOf(string word, string value, ushort port) =>
        value.Split('@', 2) is [var mac, var remote] && MacAddress.TryParse(mac, null, out var address) && !address.IsGroup
            ? (address, EndpointOf(word, remote, port))
            : throw Bad(word, "an Ethernet address and a peer's, as in fdb=02:00:5e:10:00:01@192.0.2.1");

    /// <summary>An address of either family, which may have a port: 192.0.2.1:4789, [2001:db8::1]:4789.</summary>
    private static IpEndpoint EndpointOf(string word, string text, ushort port)
    {
        if (!IpAddress.TryParse(text, out var address))
        {
            var colon = text.LastIndexOf(':');
            if (colon < 0 || !IpAddress.TryParse(text[..colon].TrimStart('[').TrimEnd(']'), out address) || (address.IsV6 && text[0] != '[')
                || !TryNumber(text[(colon + 1)..], ushort.MaxValue, out var own) || own == 0)
                throw Bad(word, "an address, as in 192.0.2.1 or [2001:db8::1]:4789");
            port = (ushort)own;
        }

        return address.IsUnspecified || address.IsMulticast || address.IsLimitedBroadcast ? throw Bad(word, "the address of one host: groups are not for this wire") : new IpEndpoint(address, port);
    }

    private static bool TryNumber(string text, int most, out int number) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= most;

    private static WireException Bad(string word, string accepted) => new($"'{word}' of a VXLAN wire must be {accepted}.");
}
