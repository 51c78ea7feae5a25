using System.Globalization;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>Reads the lines of a <see cref="WgQuickFile"/>. Keys and sections are not case-sensitive; an unknown one is refused, because whoever has misspelt one would have another network than
/// the file says.</summary>
internal sealed class WgQuickReader(string name) : IDisposable
{
    private const int MaxHostName = 253;

    private static readonly string[] InterfaceKeys =
        ["PrivateKey", "Address", "DNS", "MTU", "ListenPort", "FwMark", "Table", "PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig"];

    private static readonly string[] PeerKeys = ["PublicKey", "PresharedKey", "AllowedIPs", "Endpoint", "PersistentKeepalive"];
    private static readonly string[] ListKeys = ["Address", "DNS", "AllowedIPs", "PreUp", "PostUp", "PreDown", "PostDown"];

    private readonly List<IpPrefix> _addresses = [];
    private readonly List<IpAddress> _dns = [];
    private readonly List<string> _domains = [];
    private readonly List<PeerSection> _peers = [];
    private readonly List<string> _warnings = [];
    private readonly HashSet<string> _seen = [];
    private SecretKey? _privateKey;
    private PeerSection? _peer;
    private bool _isInInterface;
    private bool _hasInterface;
    private int _listenPort;
    private uint _fwMark;
    private int _mtu = WgQuickFile.DefaultMtu;
    private bool _hasRoutes = true;
    private bool _isFinished;
    private int _line;

    /// <exception cref="WireException">The line is not part of such a file.</exception>
    public void Take(ReadOnlySpan<char> text, int number)
    {
        _line = number;
        if (text.IndexOf('#') is var comment and >= 0)
            text = text[..comment];
        text = text.Trim().Trim('\uFEFF');
        if (text.IsEmpty)
            return;
        if (text[0] == '[')
        {
            Begin(text);
            return;
        }

        var equals = text.IndexOf('=');
        if (equals < 0)
            throw Bad($"{Quote(text)} is no 'Key = value'");
        var key = text[..equals].TrimEnd();
        var value = text[(equals + 1)..].TrimStart();
        var known = _isInInterface ? InterfaceKeys : _peer is not null ? PeerKeys : throw Bad($"{Quote(key)} is before the first section; begin with [Interface]");
        var found = Find(known, key) ?? throw Unknown(key);
        if (!ListKeys.Contains(found) && !_seen.Add(found))
            throw Bad($"{found} is there twice in this section; give it once");
        if (_isInInterface)
            TakeInterface(found, value);
        else
            TakePeer(_peer!, found, value);
    }

    /// <exception cref="WireException">Something is missing.</exception>
    public WgQuickFile Finish()
    {
        if (!_hasInterface)
            throw new WireException($"{name} has no [Interface] section: it is no WireGuard configuration.");
        if (_privateKey is not { } privateKey)
            throw new WireException($"{name} has no PrivateKey in its [Interface]; 'wg genkey' makes one.");
        foreach (var peer in _peers)
        {
            if (!peer.HasKey)
                throw new WireException($"{name}, line {peer.Line}: this [Peer] has no PublicKey; each peer is known by one.");
        }

        if (_peers.GroupBy(static peer => peer.Key).FirstOrDefault(static group => group.Count() > 1) is { } twice)
            throw new WireException($"{name}, line {twice.Last().Line}: the peer {twice.Key} is there twice; put both into one [Peer].");
        var own = Curve25519.PublicOf(privateKey.Bytes);
        if (_peers.Find(peer => peer.Key == own) is { } self)
            throw new WireException($"{name}, line {self.Line}: the peer {self.Key} has the public key of our own PrivateKey; write the other end's.");
        _isFinished = true;
        return new WgQuickFile(name)
        {
            PrivateKey = privateKey,
            ListenPort = _listenPort,
            FwMark = _fwMark,
            Addresses = _addresses,
            Dns = _dns,
            SearchDomains = _domains,
            Mtu = _mtu,
            HasRoutes = _hasRoutes,
            Peers = [.. _peers.Select(static peer => peer.ToOptions())],
            Warnings = _warnings,
        };
    }

    /// <summary>Erases the keys of a file that was refused.</summary>
    public void Dispose()
    {
        if (_isFinished)
            return;
        _privateKey?.Dispose();
        _peers.ForEach(static peer => peer.PresharedKey?.Dispose());
    }

    private void Begin(ReadOnlySpan<char> text)
    {
        _seen.Clear();
        (_isInInterface, _peer) = (false, null);
        if (text.Equals("[Interface]", StringComparison.OrdinalIgnoreCase))
        {
            if (_hasInterface)
                throw Bad("[Interface] is there twice; a file has one");
            _hasInterface = _isInInterface = true;
        }
        else if (text.Equals("[Peer]", StringComparison.OrdinalIgnoreCase))
        {
            _peers.Add(_peer = new PeerSection(_line));
        }
        else
        {
            throw Bad($"{Quote(text)} is no section of a WireGuard configuration; there are [Interface] and [Peer]");
        }
    }

    private void TakeInterface(string key, ReadOnlySpan<char> value)
    {
        switch (key)
        {
            case "PrivateKey":
                _privateKey = KeyOf(key, value);
                break;
            case "Address":
                ForEach(value, item => _addresses.Add(PrefixOf(key, item)));
                break;
            case "DNS":
                ForEach(value, item =>
                {
                    if (IpAddress.TryParse(item, out var server))
                        _dns.Add(server);
                    else
                        _domains.Add(IsHostName(item) ? item : throw Bad($"DNS is {Quote(item)}; it must be addresses of name servers, and domains"));
                });
                break;
            case "MTU":
                _mtu = NumberOf(key, value, WgQuickFile.MinMtu, WgQuickFile.MaxMtu);
                break;
            case "ListenPort":
                _listenPort = NumberOf(key, value, 0, ushort.MaxValue);
                break;
            case "FwMark":
                _fwMark = MarkOf(value);
                break;
            case "Table":
                TakeTable(value);
                break;
            case "SaveConfig":
                _warnings.Add($"{name}, line {_line}: SaveConfig has no effect: Tapwire never writes the file.");
                break;
            default:
                _warnings.Add($"{name}, line {_line}: {key} is not run: Tapwire runs no command of a configuration.");
                break;
        }
    }

    private void TakeTable(ReadOnlySpan<char> value)
    {
        if (value.Equals("off", StringComparison.OrdinalIgnoreCase))
            _hasRoutes = false;
        else if (!value.Equals("auto", StringComparison.OrdinalIgnoreCase))
            _warnings.Add($"{name}, line {_line}: Table = {Quote(value)} has no effect: Tapwire has one table, and the routes go there.");
    }

    private void TakePeer(PeerSection peer, string key, ReadOnlySpan<char> value)
    {
        switch (key)
        {
            case "PublicKey":
                using (var bytes = KeyOf(key, value))
                    peer.Key = new PublicKey(bytes.Bytes);
                peer.HasKey = true;
                break;
            case "PresharedKey":
                peer.PresharedKey = KeyOf(key, value);
                break;
            case "AllowedIPs":
                ForEach(value, item =>
                {
                    var prefix = PrefixOf(key, item);
                    peer.AllowedIps.Add(new IpPrefix(prefix.Network, prefix.Length));
                });
                break;
            case "Endpoint":
                TakeEndpoint(peer, value);
                break;
            default:
                peer.Keepalive = value.Equals("off", StringComparison.OrdinalIgnoreCase) ? 0 : NumberOf(key, value, 0, ushort.MaxValue, " seconds, or off");
                break;
        }
    }

    private void TakeEndpoint(PeerSection peer, ReadOnlySpan<char> value)
    {
        const string Accepted = "HOST:PORT, as in vpn.example.com:51820, 192.0.2.1:51820 or [2001:db8::1]:51820";
        var colon = value.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(value[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
            throw Bad($"Endpoint is {Quote(value)}; it must be {Accepted}");
        var host = value[..colon];
        var isBracketed = host is ['[', .., ']'];
        if (IpAddress.TryParse(isBracketed ? host[1..^1] : host, null, out var address) && address.IsV6 == isBracketed)
            peer.Endpoint = new IpEndpoint(address, port);
        else if (!isBracketed && IsHostName(host.ToString()))
            peer.EndpointName = value.ToString();
        else
            throw Bad($"Endpoint is {Quote(value)}; it must be {Accepted}");
    }

    private static void ForEach(ReadOnlySpan<char> value, Action<string> take)
    {
        foreach (var item in value.ToString().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            take(item);
    }

    private SecretKey KeyOf(string key, ReadOnlySpan<char> value)
    {
        Span<byte> bytes = stackalloc byte[Curve25519.Length];
        // The value is not repeated: it may be a key with a slip of the pen.
        if (!PublicKey.TryDecode(value, bytes))
            throw Bad($"{key} is no key: it must be 44 characters of base64, as 'wg genkey' and 'wg pubkey' write them");
        var made = new SecretKey(bytes);
        bytes.Clear();
        return made;
    }

    /// <summary>Reads an address with or without a length; without, it is one host.</summary>
    private IpPrefix PrefixOf(string key, string text)
    {
        if (IpAddress.TryParse(text, out var host))
            return new IpPrefix(host, 8 * host.Length);
        return IpPrefix.TryParse(text, null, out var prefix) ? prefix : throw Bad($"{key} is {Quote(text)}; it must be ADDRESS/LENGTH, as in 10.8.0.2/24 or fd00::2/64");
    }

    private int NumberOf(string key, ReadOnlySpan<char> value, int least, int most, string unit = "") =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw Bad($"{key} is {Quote(value)}; it must be a number from {least} to {most}{unit}");

    private uint MarkOf(ReadOnlySpan<char> value)
    {
        if (value.Equals("off", StringComparison.OrdinalIgnoreCase))
            return 0;
        var isHex = value.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return uint.TryParse(isHex ? value[2..] : value, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out var mark)
            ? mark
            : throw Bad($"FwMark is {Quote(value)}; it must be a number of 32 bits, as in 0xca6c, or off");
    }

    private static bool IsHostName(string text) => text.Length is >= 1 and <= MaxHostName && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_');

    private static string? Find(string[] known, ReadOnlySpan<char> key)
    {
        foreach (var each in known)
        {
            if (key.Equals(each, StringComparison.OrdinalIgnoreCase))
                return each;
        }

        return null;
    }

    private WireException Unknown(ReadOnlySpan<char> key)
    {
        var (here, there, other) = _isInInterface ? ("[Interface]", "[Peer]", PeerKeys) : ("[Peer]", "[Interface]", InterfaceKeys);
        return Bad(Find(other, key) is { } misplaced
            ? $"{misplaced} belongs into {there}, not into {here}"
            : $"{Quote(key)} is no key of {here}; there are {string.Join(", ", _isInInterface ? InterfaceKeys : PeerKeys)}");
    }

    private WireException Bad(string what) => new($"{name}, line {_line}: {what}.");

    /// <summary>Text of the file for a message: short, and on one line.</summary>
    private static string Quote(ReadOnlySpan<char> text)
    {
        const int Most = 40;
        var shown = new string([.. text[..Math.Min(text.Length, Most)].ToArray().Select(static c => char.IsControl(c) ? '?' : c)]);
        return text.Length > Most ? $"'{shown}...'" : $"'{shown}'";
    }

    private sealed class PeerSection(int line)
    {
        public int Line => line;

        public PublicKey Key { get; set; }

        public bool HasKey { get; set; }

        public SecretKey? PresharedKey { get; set; }

        public List<IpPrefix> AllowedIps { get; } = [];

        public IpEndpoint? Endpoint { get; set; }

        public string? EndpointName { get; set; }

        public int Keepalive { get; set; }

        public WireGuardPeerOptions ToOptions() => new(Key, AllowedIps, PresharedKey, Endpoint, EndpointName, Keepalive);
    }
}
