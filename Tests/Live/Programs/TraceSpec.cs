using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>
/// Unmodified programs that ask whether a host is there, and by which way: ping, traceroute and tracepath, with sockets for ICMP echo messages (SOCK_DGRAM) and the error queue.
/// The kernel is the router, and another namespace is behind it.
/// </summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class TraceSpec(TraceSpec.Network network) : IClassFixture<TraceSpec.Network>
{
    private const string Router = LiveDriver.KernelAddress;
    private const string RouterV6 = LiveDriver.KernelAddressV6;
    private const string Far = "10.98.0.2";
    private const string FarV6 = "fd00:98::2";

    [SkippableTheory]
    [InlineData(Router, 64)]
    [InlineData(RouterV6, 64)]
    [InlineData(Far, 63)]
    [InlineData(FarV6, 63)]
    public void Ping_hears_a_host_near_and_far(string host, int hopLimit)
    {
        var (code, output, _) = Run("ping", "-c", "3", "-i", "0.01", "-W", "20", host);
        Assert.Equal(0, code);
        Assert.Contains($"64 bytes from {host}: icmp_seq=3 ttl={hopLimit} time=", output, StringComparison.Ordinal);
        Assert.Contains("3 packets transmitted, 3 received, 0% packet loss", output, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(Far)]
    [InlineData(FarV6)]
    public void A_long_ping_goes_in_fragments_and_one_that_must_not_is_refused_with_the_MTU(string host)
    {
        Assert.Contains("1 received", Run("ping", "-c", "1", "-s", "40000", "-W", "20", host).Output, StringComparison.Ordinal);
        var (code, output, error) = Run("ping", "-c", "1", "-M", "do", "-s", "2000", "-W", "1", host);
        Assert.Equal(1, code);
        Assert.Contains("1500", output + error, StringComparison.Ordinal);
        Assert.Contains("message too long, mtu", output + error, StringComparison.OrdinalIgnoreCase);
    }

    [SkippableTheory]
    [InlineData(Far, "From " + Router, "Time to live exceeded")]
    [InlineData(FarV6, "From " + RouterV6, "Hop limit")]
    [InlineData("10.97.0.1", "From " + Router, "Destination Net Unreachable")]
    [InlineData("fd00:97::1", "From " + RouterV6, "No route")]
    public void Ping_says_who_has_dropped_its_request_and_why(string host, string from, string why)
    {
        var (_, output, _) = Run("ping", "-c", "1", "-t", host is Far or FarV6 ? "1" : "64", "-W", "20", host);
        Assert.Contains(from, output, StringComparison.Ordinal);
        Assert.Contains(why, output, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The first by UDP to ports that nobody has, the second by echo requests, the third by UDP that finds out the MTU.</summary>
    [SkippableTheory]
    [InlineData("traceroute", "-n", "-w", "5", Far)]
    [InlineData("traceroute", "-6", "-n", "-w", "5", FarV6)]
    [InlineData("traceroute", "-I", "-n", "-w", "5", Far)]
    [InlineData("traceroute", "-6", "-I", "-n", "-w", "5", FarV6)]
    [InlineData("tracepath", "-n", Far)]
    [InlineData("tracepath", "-6", "-n", FarV6)]
    public void The_way_to_a_host_is_found(string program, params string[] arguments)
    {
        var isV6 = arguments.Contains("-6");
        var (code, output, error) = Run(program, arguments);
        Assert.True(code == 0, output + error);
        var hops = output.Split('\n').Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(static words => words.Length > 2 && words[0].TrimEnd(':') is "1" or "2").ToList();
        Assert.Equal([isV6 ? RouterV6 : Router, isV6 ? FarV6 : Far], hops.Select(static words => words[1]).Distinct());
        if (program == "tracepath")
            Assert.Contains("pmtu 1500", output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Tracepath_finds_the_narrow_link()
    {
        // A driver that has not learnt yet what the path takes.
        using var narrow = new Network();
        narrow.Near.Ip("link set v1 mtu 1400");
        Assert.Contains("pmtu 1400", narrow.Run("tracepath", "-n", Far).Output, StringComparison.Ordinal);
        Assert.Contains("pmtu 1400", narrow.Run("tracepath", "-6", "-n", FarV6).Output, StringComparison.Ordinal);
    }

    /// <summary>Packets of a raw socket would go by the kernel, round Tapwire.</summary>
    [SkippableFact]
    public void Raw_sockets_for_ICMP_are_refused_and_other_sockets_are_those_of_Linux()
    {
        var program = """
            import errno, socket as s, struct
            for family, protocol in (s.AF_INET, s.IPPROTO_ICMP), (s.AF_INET6, s.IPPROTO_ICMPV6):
                try:
                    s.socket(family, s.SOCK_RAW, protocol)
                except OSError as e:
                    print(errno.errorcode[e.errno])
            for family, protocol, to in (s.AF_INET, s.IPPROTO_ICMP, ('ROUTER', 0)), (s.AF_INET6, s.IPPROTO_ICMPV6, ('ROUTER6', 0)):
                a = s.socket(family, s.SOCK_DGRAM, protocol)
                print(a.type == s.SOCK_DGRAM, a.getsockopt(s.SOL_SOCKET, s.SO_PROTOCOL) == protocol)
                kind = 8 if family == s.AF_INET else 128
                for wrong in b'', bytes([0] * 8), bytes([kind, 1] + [0] * 6):
                    try:
                        a.sendto(wrong, to)
                    except OSError as e:
                        print(errno.errorcode[e.errno])
                a.sendto(bytes([kind, 0, 0, 0, 9, 9, 0, 5]) + b'payload', to)
                data, who = a.recvfrom(100)
                print(data[0] in (0, 129), struct.unpack('>H', data[4:6])[0] == a.getsockname()[1], data[6:], who[:2] == to)
                a.connect(to)
                a.send(bytes([kind, 0, 0, 0, 0, 0, 0, 6]))
                print(a.recv(100)[6:], a.getpeername()[:2] == to)
                b = s.socket(family, s.SOCK_DGRAM, protocol)
                try:
                    b.bind(('', a.getsockname()[1]))
                except OSError as e:
                    print(errno.errorcode[e.errno])
                try:
                    a.setsockopt(s.IPPROTO_UDP, 103, 1000)
                except OSError as e:
                    print(errno.errorcode[e.errno])
            """.Replace("ROUTER6", RouterV6, StringComparison.Ordinal).Replace("ROUTER", Router, StringComparison.Ordinal);
        var (code, output, error) = Run("python3", "-c", program);
        Assert.True(code == 0, output + error);
        var each = """
            True True
            EINVAL
            EINVAL
            EINVAL
            True True b'\x00\x05payload' True
            b'\x00\x06' True
            EADDRINUSE
            ENOPROTOOPT

            """;
        Assert.Equal("EPERM\nEPERM\n" + each + each, output);
    }

    private CommandResult Run(string program, params string[] arguments) => network.Run(program, arguments);

    /// <summary>A driver, its router, and a host behind it.</summary>
    public sealed class Network : IDisposable
    {
        private readonly LiveDriver _driver;
        private readonly NetworkNamespace _far;

        public Network()
        {
            _driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", [.. LiveDriver.V6, "--gateway", Router]);
            _far = NetworkNamespace.Create();
            Near.Ip($"link add v1 type veth peer name v2 netns {_far.Name}");
            Near.Ip("addr add 10.98.0.1/24 dev v1");
            Near.Ip("addr add fd00:98::1/64 dev v1 nodad");
            Near.Ip("link set v1 up");
            _far.Ip($"addr add {Far}/24 dev v2");
            _far.Ip($"addr add {FarV6}/64 dev v2 nodad");
            _far.Ip("link set v2 up");
            _far.Ip("route add default via 10.98.0.1");
            _far.Ip("-6 route add default via fd00:98::1");
            Near.Sysctl("net/ipv4/ip_forward", "1");
            Near.Sysctl("net/ipv6/conf/all/forwarding", "1");
            var route = TapwireProgram.Run(Near, "route", "add", "::/0", "via", RouterV6, "--link", _driver.LinkPath);
            Assert.True(route.ExitCode == 0, route.Error);
        }

        public NetworkNamespace Near => _driver.Namespace;

        public CommandResult Run(string program, params string[] arguments)
        {
            Skip.If(Near.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}' command");
            return TapwireProgram.Run(Near, ["run", "--link", _driver.LinkPath, "--", program, .. arguments]);
        }

        public void Dispose()
        {
            _far.Dispose();
            _driver.Dispose();
        }
    }
}
