using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Tapwire.Wires.WireGuard;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>wg-quick(8) and wg(8), "CONFIGURATION FILE FORMAT".</summary>
public sealed class WgQuickFileSpec : IDisposable
{
    private const string Private = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    private const string PeerA = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
    private const string PeerB = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=";
    private const string Preshared = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=";

    private const string Whole = $"""
        # The office.
        [Interface]
        PrivateKey = {Private}
        Address = 10.8.0.2/24, fd00:8::2/64
        Address = 10.9.0.2          # one host
        DNS = 10.8.0.1, fd00:8::1, office.example, corp.example
        MTU = 1380
        ListenPort = 51821
        FwMark = 0xca6c
        Table = off
        PostUp = iptables -A INPUT -i %i -j ACCEPT
        SaveConfig = true

        [Peer]
        publickey={PeerA}
        PresharedKey = {Preshared}
        AllowedIPs = 10.8.0.0/24, 192.168.5.9/16
        AllowedIPs = fd00:8::/64
        Endpoint = vpn.example.com:51820
        PersistentKeepalive = 25

        [Peer]
        PublicKey = {PeerB}
        AllowedIPs = 0.0.0.0/0,::/0
        Endpoint = [2001:db8::7]:51820
        PersistentKeepalive = off
        """;

    private readonly string _path = Path.Combine(Path.GetTempPath(), $"tapwire-{Guid.NewGuid():N}.conf");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void Everything_is_read()
    {
        using var file = WgQuickFile.Parse("office.conf", Whole);
        Assert.Equal(Private, Convert.ToBase64String(file.PrivateKey.Bytes));
        Assert.Equal(["10.8.0.2/24", "fd00:8::2/64", "10.9.0.2/32"], file.Addresses.Select(static each => $"{each}"));
        Assert.Equal(["10.8.0.1", "fd00:8::1"], file.Dns.Select(static each => $"{each}"));
        Assert.Equal(["office.example", "corp.example"], file.SearchDomains);
        Assert.Equal((1380, 51821, 0xca6cu, false), (file.Mtu, file.ListenPort, file.FwMark, file.HasRoutes));
        Assert.Empty(file.Routes);

        var (a, b) = (file.Peers[0], file.Peers[1]);
        Assert.Equal((PeerA, "vpn.example.com:51820", null, 25), ($"{a.PublicKey}", a.EndpointName, a.Endpoint, a.PersistentKeepalive));
        Assert.Equal(Preshared, Convert.ToBase64String(a.PresharedKey!.Bytes));
        Assert.Equal(["10.8.0.0/24", "192.168.0.0/16", "fd00:8::/64"], a.AllowedIps.Select(static each => $"{each}"));
        Assert.Equal((PeerB, null, "[2001:db8::7]:51820", 0), ($"{b.PublicKey}", b.EndpointName, $"{b.Endpoint}", b.PersistentKeepalive));
        Assert.Null(b.PresharedKey);
        Assert.Equal(["office.conf, line 11: PostUp is not run: Tapwire runs no command of a configuration.", "office.conf, line 12: SaveConfig has no effect: Tapwire never writes the file."], file.Warnings);
    }

    [Fact]
    public void Allowed_IPs_are_routes_unless_the_table_is_off()
    {
        using var file = WgQuickFile.Parse("office.conf", Whole.Replace("Table = off", "Table = 51", StringComparison.Ordinal));
        Assert.Equal(["10.8.0.0/24", "192.168.0.0/16", "fd00:8::/64", "0.0.0.0/0", "::/0"], file.Routes.Select(static each => $"{each}"));
        Assert.Contains("office.conf, line 10: Table = '51' has no effect: Tapwire has one table, and the routes go there.", file.Warnings);
    }

    [Fact]
    public void Windows_line_ends_and_a_byte_order_mark_do_no_harm()
    {
        using var file = WgQuickFile.Parse("office.conf", $"\uFEFF[interface]\r\nprivatekey={Private}\r\n");
        Assert.Equal((WgQuickFile.DefaultMtu, 0), (file.Mtu, file.Peers.Count));
    }

    [Theory]
    [InlineData("", "a has no [Interface] section: it is no WireGuard configuration.")]
    [InlineData("[Interface]\n", "a has no PrivateKey in its [Interface]; 'wg genkey' makes one.")]
    [InlineData("x = 1\n", "a, line 1: 'x' is before the first section; begin with [Interface].")]
    [InlineData("[Interface]\nnonsense\n", "a, line 2: 'nonsense' is no 'Key = value'.")]
    [InlineData("[Interface]\n[Interface]\n", "a, line 2: [Interface] is there twice; a file has one.")]
    [InlineData("[Iface]\n", "a, line 1: '[Iface]' is no section of a WireGuard configuration; there are [Interface] and [Peer].")]
    [InlineData("[Interface]\nPrivateKey = secret\n", "a, line 2: PrivateKey is no key: it must be 44 characters of base64, as 'wg genkey' and 'wg pubkey' write them.")]
    [InlineData("[Interface]\nAdress = 10.0.0.1\n", "a, line 2: 'Adress' is no key of [Interface]; there are PrivateKey, Address, DNS, MTU, ListenPort, FwMark, Table, PreUp, PostUp, PreDown, PostDown, SaveConfig.")]
    [InlineData("[Interface]\nEndpoint = 10.0.0.1:1\n", "a, line 2: Endpoint belongs into [Peer], not into [Interface].")]
    [InlineData("[Interface]\nMTU = 500\n", "a, line 2: MTU is '500'; it must be a number from 576 to 65440.")]
    [InlineData("[Interface]\nMTU = 1420\nMTU = 1420\n", "a, line 3: MTU is there twice in this section; give it once.")]
    [InlineData("[Interface]\nListenPort = 65536\n", "a, line 2: ListenPort is '65536'; it must be a number from 0 to 65535.")]
    [InlineData("[Interface]\nFwMark = 0xzz\n", "a, line 2: FwMark is '0xzz'; it must be a number of 32 bits, as in 0xca6c, or off.")]
    [InlineData("[Interface]\nAddress = 10.0.0.1/33\n", "a, line 2: Address is '10.0.0.1/33'; it must be ADDRESS/LENGTH, as in 10.8.0.2/24 or fd00::2/64.")]
    [InlineData("[Interface]\nDNS = a b\n", "a, line 2: DNS is 'a b'; it must be addresses of name servers, and domains.")]
    [InlineData("[Peer]\nEndpoint = host\n", "a, line 2: Endpoint is 'host'; it must be HOST:PORT, as in vpn.example.com:51820, 192.0.2.1:51820 or [2001:db8::1]:51820.")]
    [InlineData("[Peer]\nEndpoint = host:0\n", "a, line 2: Endpoint is 'host:0'; it must be HOST:PORT, as in vpn.example.com:51820, 192.0.2.1:51820 or [2001:db8::1]:51820.")]
    [InlineData("[Peer]\nPersistentKeepalive = -1\n", "a, line 2: PersistentKeepalive is '-1'; it must be a number from 0 to 65535 seconds, or off.")]
    [InlineData("[Peer]\nAllowedIPs = ten\n", "a, line 2: AllowedIPs is 'ten'; it must be ADDRESS/LENGTH, as in 10.8.0.2/24 or fd00::2/64.")]
    [InlineData($"[Interface]\nPrivateKey = {Private}\n[Peer]\n", "a, line 3: this [Peer] has no PublicKey; each peer is known by one.")]
    [InlineData($"[Interface]\nPrivateKey = {Private}\n[Peer]\nPublicKey = {PeerA}\n[Peer]\nPublicKey = {PeerA}\n", $"a, line 5: the peer {PeerA} is there twice; put both into one [Peer].")]
    public void What_is_wrong_is_refused_with_its_line(string text, string message) =>
        Assert.Equal(message, Assert.Throws<WireException>(() => WgQuickFile.Parse("a", text)).Message);

    [Fact]
    public void A_file_that_others_may_read_is_refused_as_by_ssh()
    {
        File.WriteAllText(_path, Whole);
        Libc.chmod(_path, 0x1A0);
        Assert.Equal($"Others may use {_path}, which has a private key in it (mode 640); run 'chmod 600 {_path}'.", Assert.Throws<WireException>(() => WgQuickFile.Read(_path)).Message);
        Libc.chmod(_path, 0x180);
        using var file = WgQuickFile.Read(_path);
        Assert.Equal(2, file.Peers.Count);
    }

    [Fact]
    public void A_file_that_is_none_is_refused()
    {
        Assert.Equal($"There is no WireGuard configuration {_path}; name one, as in wg:office.conf.", Assert.Throws<WireException>(() => WgQuickFile.Read(_path)).Message);
        Assert.Equal("/tmp is a directory; name a WireGuard configuration in it, as in wg:office.conf.", Assert.Throws<WireException>(() => WgQuickFile.Read("/tmp")).Message);
        Assert.StartsWith("/dev/zero is larger than", Assert.Throws<WireException>(() => WgQuickFile.Read("/dev/zero")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_text_is_read_or_refused()
    {
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++)
        {
            var text = Whole.ToCharArray();
            for (var flips = random.Next(1, 6); flips > 0; flips--)
                text[random.Next(text.Length)] = (char)random.Next(1, 300);
            try
            {
                WgQuickFile.Parse("a", text.AsSpan(0, random.Next(text.Length))).Dispose();
            }
            catch (WireException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }
}
