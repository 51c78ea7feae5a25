using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

public sealed partial class DriverSettingsSpecs
{
    private static readonly SettingsSource Defaults = HostConfiguration.Defaults;

    /// <summary>Every key below tapwire with another value than its default's.</summary>
    public static TheoryData<string, string> Keys => new()
    {
        { "wire", "\"tun:tw1\"" },
        { "addresses", "[\"10.1.2.3/8\"]" },
        { "gateway", "\"10.0.0.254\"" },
        { "mac", "\"02:00:5e:10:00:01\"" },
        { "mtu", "1400" },
        { "routes", "[\"10.20.0.0/16 via 10.0.0.9 metric 7\"]" },
        { "interfaces", "{ lab { wire = \"tap:tw9\", addresses = [\"10.98.0.2/24\"] } }" },
        { "slaac", "temporary" },
        { "name", "box" },
        { "dhcp", "on" },
        { "dhcp-client.hostname", "box" },
        { "dhcp-client.release", "on" },
        { "dhcp-client.client-id", "mac" },
        { "state-directory", "\"/var/lib/other\"" },
        { "forwarding", "on" },
        { "masquerade", "on" },
        { "serve-dhcp", "on" },
        { "dhcp-server.lease-time", "10m" },
        { "dhcp-server.max-leases", "16" },
        { "nat.sessions", "99" },
        { "nat.sessions-per-host", "9" },
        { "shards", "3" },
        { "shutdown-timeout", "3s" },
        { "tap.offload", "off" },
        { "tap.software-offload", "off" },
        { "tap.read-batch", "32" },
        { "tap.queue-frames", "99" },
        { "tap.peer-address", "\"10.99.0.1/24\"" },
        { "tap.reopen-minimum", "50ms" },
        { "tap.reopen-maximum", "9s" },
        { "stack.queue-frames", "99" },
        { "stack.queue-bytes", "1MiB" },
        { "stack.frames-per-poll", "99" },
        { "stack.egress-credit", "99" },
        { "stack.egress-frames", "99" },
        { "stack.egress-bytes", "1MiB" },
        { "stack.loopback-frames", "99" },
        { "stack.maximum-tick", "99ms" },
        { "stack.hop-limit", "99" },
        { "fragments.memory", "1MiB" },
        { "fragments.memory-per-source", "2MiB" },
        { "fragments.datagrams", "99" },
        { "fragments.per-datagram", "99" },
        { "fragments.timeout", "99s" },
        { "neighbor.entries", "99" },
        { "neighbor.queued-packets", "99" },
        { "neighbor.queued-bytes", "99KiB" },
        { "neighbor.all-queued-bytes", "1MiB" },
        { "neighbor.unused-time", "99s" },
        { "neighbor.duplicate-probes", "0" },
        { "neighbor.probes", "9" },
        { "neighbor.retransmit-time", "99ms" },
        { "neighbor.reachable-time", "99s" },
        { "icmp.errors-per-second", "99" },
        { "icmp.error-burst", "99" },
        { "icmp.echo-outstanding", "99" },
        { "http.token-file", "\"/etc/tapwire/token\"" },
        { "http.capture-memory", "2MiB" },
        { "udp.sockets", "99" },
        { "udp.queued-datagrams", "99" },
        { "tcp.receive-buffer", "2MiB" },
        { "tcp.send-buffer", "2MiB" },
        { "tcp.max-receive-buffer", "99MiB" },
        { "tcp.max-send-buffer", "99MiB" },
        { "tcp.memory", "99MiB" },
        { "tcp.max-sockets", "99" },
        { "tcp.max-embryonic", "99" },
        { "tcp.max-embryonic-per-listener", "99" },
        { "tcp.orphan-retries", "9" },
        { "tcp.challenge-acks-per-second", "99" },
        { "tcp.resets-per-second", "99" },
        { "tcp.invalid-rate-limit", "99ms" },
        { "tcp.max-time-wait", "99" },
        { "tcp.syn-cookies", "off" },
        { "tcp.fast-open", "off" },
        { "tcp.time-wait", "99s" },
        { "tcp.fin-wait-2", "99s" },
        { "tcp.initial-rto", "2s" },
        { "tcp.min-rto", "99ms" },
        { "tcp.max-rto", "99s" },
        { "tcp.syn-retries", "9" },
        { "tcp.syn-ack-retries", "9" },
        { "tcp.retries", "9" },
        { "tcp.delayed-ack", "9ms" },
        { "tcp.congestion-control", "bbr" },
        { "tcp.ecn", "on" },
        { "tcp.mtu-probing", "off" },
        { "tcp.timestamps", "off" },
        { "tcp.selective-ack", "off" },
        { "tcp.window-scaling", "off" },
        { "link.path", "\"/tmp/x.sock\"" },
        { "link.users", "[postgres]" },
        { "link.max-sessions", "99" },
        { "link.max-sockets", "99" },
        { "serve", "[\"echo:7\"]" },
        { "serve-backlog", "99" },
        { "socks.listen", "[\"127.0.0.1:1080\"]" },
        { "socks.user", "\"me\"" },
        { "socks.password", "\"secret\"" },
        { "socks.allow-remote", "on" },
        { "socks.destinations", "[\"10.99.0.0/24\"]" },
        { "forward", "[\"tcp:8080=10.99.0.1:80\"]" },
        { "expose", "[\"tcp:80=127.0.0.1:8080\"]" },
        { "proxy.max-connections", "99" },
        { "proxy.handshake-timeout", "9s" },
        { "proxy.connect-timeout", "9s" },
        { "proxy.max-flows", "99" },
        { "proxy.flow-idle", "9s" },
        { "capture.file", "/tmp/x.pcapng" },
        { "capture.snaplen", "96" },
        { "capture.memory", "1MiB" },
        { "capture.max-captures", "9" },
        { "metrics.listen", "\"127.0.0.1:9464\"" },
        { "metrics.otlp", "\"http://127.0.0.1:4318/v1/metrics\"" },
        { "metrics.interval", "5s" },
        { "dns.servers", "[\"10.99.0.1\"]" },
        { "dns.split", "{ \"corp.example\" = [\"10.0.0.53\"] }" },
        { "dns.hosts", "{ \"db.corp.example\" = \"10.99.0.9\" }" },
        { "dns.hosts-file", "\"/etc/other\"" },
        { "dns.search", "[\"corp.example\"]" },
        { "dns.ndots", "2" },
        { "dns.timeout", "2s" },
        { "dns.attempts", "3" },
        { "dns.rotate", "on" },
        { "dns.mdns", "resolve" },
        { "guests.max-guests", "9" },
        { "guests.max-connections", "99" },
        { "guests.max-flows", "99" },
        { "guests.flow-idle", "9s" },
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void Every_key_changes_the_settings(string key, string value) =>
        Assert.NotEqual(Describe(Read("")), Describe(Read($"tapwire.{key} = {value}")));

    [Fact]
    public void The_table_of_keys_is_that_of_the_file()
    {
        var keys = new List<string>();
        Collect(Defaults.Config.GetValue("tapwire").GetObject(), "");
        Assert.Equal(keys.Order(StringComparer.Ordinal), Keys.Select(row => (string)row[0]).Order(StringComparer.Ordinal));

        void Collect(Akka.Configuration.Hocon.HoconObject section, string prefix)
        {
            foreach (var (name, value) in section.Items)
            {
                if (name == "dispatcher")
                    continue; // the actor system's
                if (value.IsObject() && name is not ("interfaces" or "split" or "hosts"))
                    Collect(value.GetObject(), prefix + name + ".");
                else
                    keys.Add(prefix + name);
            }
        }
    }

    [Fact]
    public void The_table_of_what_can_differ_is_that_of_the_file() =>
        Assert.Equal(Keys.Select(row => $"tapwire.{row[0]}").Order(StringComparer.Ordinal), SettingKeys.All.Select(key => key.Name).Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Keys))]
    public void Every_key_that_has_changed_is_taken_by_a_driver_that_runs_or_named(string key, string value)
    {
        var (before, wanted) = (Read(""), Read($"tapwire.{key} = {value}"));
        var changed = Assert.Single(SettingKeys.Differences(before, wanted));
        Assert.Equal($"tapwire.{key}", changed.Name);
        var taken = SettingKeys.TakeLive(before, wanted);
        Assert.Equal(changed.IsLive ? [] : [changed], SettingKeys.Differences(taken, wanted));
        Assert.Equal(changed.IsLive ? [changed] : [], SettingKeys.Differences(before, taken));
    }

    [Fact]
    public void What_differs_of_the_actor_system_is_named_all_but_its_log_level()
    {
        static HostConfiguration Of(string text) => HostConfiguration.Combine(SettingsSource.Parse("mine.conf", text), Defaults);
        var before = Of("akka { loglevel = INFO, log-dead-letters = off }");
        Assert.Empty(before.RuntimeDifferences(Of("akka { loglevel = DEBUG }")));
        Assert.Equal(["akka.actor.creation-timeout", "akka.log-dead-letters", "tapwire.dispatcher.spin"],
            before.RuntimeDifferences(Of("akka { log-dead-letters = 5, actor.creation-timeout = 5s }\ntapwire { dispatcher.spin = 0, mtu = 1400 }")));
    }

    [Theory]
    [InlineData("\"\"", new string[0])]
    [InlineData("[]", new string[0])]
    [InlineData("10.99.0.1/24", new[] { "10.99.0.1/24" })]
    [InlineData("[\"10.99.0.1/24\", \"10.98.0.1/16\"]", new[] { "10.99.0.1/24", "10.98.0.1/16" })]
    public void Peer_addresses_are_one_or_a_list(string value, string[] expected) =>
        Assert.Equal(expected, Read($"tapwire.tap.peer-address = {value}").Tap.PeerAddresses.Select(address => address.ToString()));

    [Theory]
    [InlineData("10.99.0.2/24", "is the stack's own")]
    [InlineData("10.98.0.1/24", "is not in the stack's network, 10.99.0.2/24")]
    public void A_peer_address_that_the_stack_could_not_reach_is_refused(string address, string complaint)
    {
        var settings = Read($"tapwire.tap.peer-address = \"{address}\"");
        var refused = Assert.Throws<SettingsException>(() => SettingsCheck.Check(settings with { Addresses = [Tapwire.Stack.Ip.IpPrefix.Parse("10.99.0.2/24")] }));
        Assert.StartsWith($"The peer address {address} ", refused.Message, StringComparison.Ordinal);
        Assert.Contains(complaint, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_settings_read_the_same() => Assert.Equal(Describe(Read("")), Describe(Read("")));

    [Theory]
    [InlineData("wire", "\"eth0\"", "tap:NAME or tun:NAME")]
    [InlineData("wire", "\"tap:a-name-that-is-too-long\"", "tap:NAME or tun:NAME")]
    [InlineData("addresses", "[\"10.0.0.1\"]", "ADDRESS/LENGTH")]
    [InlineData("addresses", "\"10.0.0.1/24\"", "a list of ADDRESS/LENGTH")]
    [InlineData("gateway", "\"somewhere\"", "an IP address, as in 10.99.0.1 or fd00::1, or empty")]
    [InlineData("mac", "\"01:00:5e:00:00:01\"", "a unicast address")]
    [InlineData("mtu", "67", "0 or 68..65521")]
    [InlineData("mtu", "65536", "from 0 to 65521")]
    [InlineData("mtu", "many", "from 0 to 65521")]
    [InlineData("shards", "0", "from 1 to 64")]
    [InlineData("shards", "65", "from 1 to 64")]
    [InlineData("shutdown-timeout", "6m", "from 0 to 5m")]
    [InlineData("shutdown-timeout", "2", "as in 500ms")]
    [InlineData("shutdown-timeout", "-1s", "from 0 to 5m")]
    [InlineData("shutdown-timeout", "infinite", "from 0 to 5m")]
    [InlineData("tap.offload", "perhaps", "on or off")]
    [InlineData("tap.read-batch", "0", "from 1 to 1024")]
    [InlineData("tap.read-batch", "1025", "from 1 to 1024")]
    [InlineData("tap.reopen-maximum", "10ms", "from 100ms to 1h")]
    [InlineData("tap.peer-address", "10.99.0.1", "ADDRESS/LENGTH, as in 10.99.0.2/24 or fd00::2/64: the length of the prefix is missing, as in 10.99.0.1/24")]
    [InlineData("tap.peer-address", "[\"10.99.0.1/33\"]", "ADDRESS/LENGTH, as in 10.99.0.2/24 or fd00::2/64")]
    [InlineData("tap.peer-address", "\"10.99.0.0/24\"", "10.99.0.0 is the address of the network itself")]
    [InlineData("tap.peer-address", "\"10.99.0.255/24\"", "10.99.0.255 is the broadcast address of its network")]
    [InlineData("tap.peer-address", "\"0.0.0.0/24\"", "stands for no address")]
    [InlineData("tap.peer-address", "\"224.0.0.1/24\"", "is a multicast address")]
    [InlineData("tap.peer-address", "\"127.0.0.1/8\"", "is a loopback address")]
    [InlineData("stack.queue-bytes", "1KiB", "from 64 KiB to 1 GiB")]
    [InlineData("stack.queue-bytes", "a lot", "from 64 KiB to 1 GiB")]
    [InlineData("stack.egress-credit", "63", "from 64 to")]
    [InlineData("stack.maximum-tick", "0", "or infinite")]
    [InlineData("stack.hop-limit", "256", "from 1 to 255")]
    [InlineData("tcp.receive-buffer", "64KiB", "from 128 KiB to 1 GiB")]
    [InlineData("tcp.receive-buffer", "2GiB", "from 128 KiB to 1 GiB")]
    [InlineData("tcp.max-rto", "500ms", "no less than tcp.initial-rto and tcp.min-rto")]
    [InlineData("tcp.retries", "0", "from 1 to 127")]
    [InlineData("socks.listen", "[\"somewhere:1080\"]", "as in 127.0.0.1:1080: the address \"somewhere\" to listen on must be an IP address")]
    [InlineData("socks.user", "\"a:b\"", "without a colon")]
    [InlineData("socks.destinations", "[\"10.99.0.0\"]", "ADDRESS/LENGTH")]
    [InlineData("forward", "[\"tcp:8080\"]", "\"8080\" must have one \"=\"")]
    [InlineData("expose", "[\"tcp:x=localhost:80\"]", "the port \"x\" must be from 1 to 65535")]
    [InlineData("proxy.max-connections", "0", "from 1 to")]
    [InlineData("proxy.handshake-timeout", "0", "from 1ms to 1h")]
    [InlineData("proxy.max-flows", "0", "from 1 to 65536")]
    [InlineData("dns.servers", "[\"names\"]", "ADDRESS or ADDRESS:PORT, as in 10.99.0.1")]
    [InlineData("dns.servers", "[\"10.99.0.1:0\"]", "ADDRESS or ADDRESS:PORT")]
    [InlineData("dns.servers", "[\"127.0.0.1\"]", "is a loopback address")]
    [InlineData("dns.search", "[\"a b\"]", "a domain, as in corp.example")]
    [InlineData("dns.ndots", "16", "from 0 to 15")]
    [InlineData("dns.timeout", "31s", "from 1ms to 30s")]
    [InlineData("dns.attempts", "0", "from 1 to 5")]
    [InlineData("dns.hosts-file", "hosts", "the path of a file from / on")]
    [InlineData("guests.max-guests", "1025", "from 0 to 1024")]
    [InlineData("guests.max-flows", "0", "from 1 to 65536")]
    [InlineData("tcp.congestion-control", "vegas", "bbr")]
    [InlineData("tcp.congestion-control", "on", "cubic")]
    [InlineData("tcp.ecn", "perhaps", "passive")]
    [InlineData("tcp.mtu-probing", "2", "on or off")]
    [InlineData("tcp.memory", "1KiB", "from ")]
    [InlineData("tcp.max-receive-buffer", "2GiB", "1 GiB")]
    [InlineData("tcp.max-send-buffer", "-1", "1 GiB")]
    [InlineData("tcp.max-send-buffer", "a lot", "1 GiB")]
    [InlineData("link.max-sessions", "-1", "from 1 to 65536")]
    [InlineData("serve", "[\"telnet:23\"]", "echo, discard, source, http")]
    [InlineData("serve", "[\"echo:0\"]", "PORT 1..65535")]
    [InlineData("serve-backlog", "70000", "from 1 to 65535")]
    public void A_bad_value_is_refused_with_its_key_its_line_and_what_is_accepted(string key, string value, string accepted)
    {
        var message = Assert.Throws<SettingsException>(() => Read($"# mine\n\ntapwire.{key} = {value}\n")).Message;
        Assert.StartsWith($"mine.conf line 3: tapwire.{key} is \"", message, StringComparison.Ordinal);
        Assert.Contains(accepted, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    /// <summary>Each end of the range that a complaint names, alone and divided among the most shards: what is read, the engine takes.</summary>
    [Theory]
    [MemberData(nameof(Keys))]
    public void What_is_accepted_as_a_setting_is_accepted_by_the_engine(string key, string value)
    {
        _ = value;
        var complaint = Record.Exception(() => Read($"tapwire.{key} = \"?\""))?.Message ?? "";
        if (RangeIn().Match(complaint) is not { Success: true } range)
            return;
        foreach (var end in new[] { range.Groups["least"].Value, range.Groups["most"].Value })
        {
            // Some ends are refused beside another setting's default.
            if (Record.Exception(() => Read($"tapwire.{key} = \"{end}\"")) is { } refused)
            {
                Assert.IsType<SettingsException>(refused);
                continue;
            }

            var settings = Read($"tapwire.{key} = \"{end}\"");
            using var cable = new Cable(new CableOptions(), TimeProvider.System);
            Make(shard: null);
            Make(new StackShard(FlowSteering.MaxShards - 1, new FlowSteering(FlowSteering.MaxShards, new byte[32])));

            void Make(StackShard? shard) =>
                new NetworkStack(DriverEngines.OptionsOf(settings, [DriverEngines.InterfaceOf(settings, settings.AllInterfaces[0], cable.A, new MacAddress(0x02_00_00_00_00_01), new byte[16])], shard),
                    new BufferPool(), new byte[32]).Close(default);
        }
    }

    [Theory]
    [InlineData("tapwire.tcp.recieve-buffer = 1MiB", "tcp.recieve-buffer", " Did you mean tapwire.tcp.receive-buffer?")]
    [InlineData("tapwire.adresses = []", "adresses", " Did you mean tapwire.addresses?")]
    [InlineData("tapwire.stack.queue-frame = 5", "stack.queue-frame", " Did you mean tapwire.stack.queue-frames?")]
    [InlineData("tapwire.colour = blue", "colour", "")]
    [InlineData("tapwire.tpc { retries = 5 }", "tpc", " Did you mean tapwire.tcp?")]
    public void An_unknown_key_is_refused_with_its_line_and_the_one_that_was_perhaps_meant(string text, string key, string hint)
    {
        var message = Assert.Throws<SettingsException>(() => Read("\n" + text)).Message;
        Assert.Equal($"mine.conf line 2: tapwire.{key} is not a setting.{hint}", message);
    }

    [Theory]
    [InlineData("tapwire = 5", "tapwire is a section and has no value of its own; write its keys, as in tapwire.wire.")]
    [InlineData("tapwire.tcp = 5", "tapwire.tcp is a section and has no value of its own; write its keys, as in tapwire.tcp.receive-buffer.")]
    [InlineData("tapwire.tcp = [5]", "tapwire.tcp is a section and has no value of its own; write its keys, as in tapwire.tcp.receive-buffer.")]
    [InlineData("akka.actor = 5", "akka.actor is a section and has no value of its own; write its keys, as in akka.actor.provider.")]
    [InlineData("tapwire.mtu { size = 5 }", "tapwire.mtu is no section; write its value with '='.")]
    [InlineData("tapwire.mtu.size = 5", "tapwire.mtu is no section; write its value with '='.")]
    [InlineData("akka.loglevel { x = 1 }", "akka.loglevel is no section; write its value with '='.")]
    public void A_value_in_the_place_of_a_section_and_a_section_in_the_place_of_a_value_are_refused_where_they_stand(string text, string complaint) =>
        Assert.Equal($"mine.conf line 2: {complaint}", Assert.Throws<SettingsException>(() => Read("\n" + text)).Message);

    [Theory]
    [InlineData("tapwire.mtu = [5]", "mine.conf line 1: tapwire.mtu is \"[5]\"; it must be one value.")]
    [InlineData("five { x = 5 }, tapwire.mtu = ${five}", "one value")]
    [InlineData("forward = [a]\ntapwire.forward = ${forward} 1", "a list of TRANSPORT")]
    [InlineData("tapwire.forward = [null]", "a list of TRANSPORT")]
    [InlineData("tapwire.forward = [{ x = 1 }]", "a list of TRANSPORT")]
    [InlineData("tapwire.link.users = [[a]]", "names or numbers of users")]
    public void A_list_in_the_place_of_a_value_and_another_thing_in_the_place_of_a_list_are_refused(string text, string complaint) =>
        Assert.Contains(complaint, Assert.Throws<SettingsException>(() => Read(text.Replace("},", "}\n", StringComparison.Ordinal))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("akka.loglevel = LOUD", "akka.loglevel is \"LOUD\"; it must be one of OFF, ERROR, WARNING, INFO, DEBUG.")]
    [InlineData("akka.stdout-loglevel = 5", "akka.stdout-loglevel is \"5\"; it must be one of OFF, ERROR, WARNING, INFO, DEBUG.")]
    [InlineData("akka.lgolevel = INFO", "akka.lgolevel is not a setting. Did you mean akka.loglevel?")]
    [InlineData("akka.colour = blue", "akka.colour is not a setting.")]
    [InlineData("akka.actor.creation-timeuot = 5s", "akka.actor.creation-timeuot is not a setting. Did you mean akka.actor.creation-timeout?")]
    [InlineData("akka.actor.anything = 5", "akka.actor.anything is not a setting.")]
    [InlineData("akka.actor.default-dispacher.throughput = 5", "akka.actor.default-dispacher is not a setting. Did you mean akka.actor.default-dispatcher?")]
    [InlineData("akka { scheduler { tick-duratoin = 5ms } }", "akka.scheduler.tick-duratoin is not a setting. Did you mean akka.scheduler.tick-duration?")]
    [InlineData("tapwrie { mtu = 1400 }", "tapwrie is not a setting. Did you mean tapwire?")]
    [InlineData("aka.loglevel = INFO", "aka is not a setting. Did you mean akka?")]
    [InlineData("tapwire { \"tcp.retries\" = 5 }", "tapwire.\"tcp.retries\" is not a setting. Did you mean tapwire.tcp.retries?")]
    public void What_the_actor_system_does_not_know_is_refused(string text, string complaint) =>
        Assert.Equal($"mine.conf line 3: {complaint}", Assert.Throws<SettingsException>(() => Read("# mine\n\n" + text)).Message);

    [Theory]
    [InlineData("akka.loglevel = debug")]
    [InlineData("akka.actor.ask-timeout = 5s")]
    [InlineData("akka.actor.deployment { /echo { router = round-robin-pool, nr-of-instances = 5 } }")]
    [InlineData("akka.actor.deployment { \"/a.b/*\" { dispatcher = mine } }")]
    [InlineData("akka.actor { serializers { mine = \"Some.Type, Some\" }, serialization-bindings { \"System.Object\" = mine } }")]
    [InlineData("akka.actor.mailbox.mine.mailbox-type = \"Some.Type, Some\"")]
    [InlineData("akka.actor.default-dispatcher.dedicated-thread-pool.thread-count = 5")]
    [InlineData("akka.actor.my-dispatcher { type = ForkJoinDispatcher, throughput = 5 }")]
    [InlineData("akka.actor.mine { type = ForkJoinDispatcher, throughput = 5 }")]
    [InlineData("akka.extensions = [\"Some.Extension, Some\"]")]
    [InlineData("akka.coordinated-shutdown.phases.mine.timeout = 5s")]
    [InlineData("akka.persistence.journal.plugin = \"mine\"")]
    [InlineData("my-dispatcher { type = ForkJoinDispatcher }")]
    [InlineData("tapwire.dispatcher.throughput = 5")]
    [InlineData("")]
    [InlineData("# nothing")]
    public void Names_of_the_users_own_are_not_refused(string text) => Read(text.Replace("}, s", "}\n s", StringComparison.Ordinal));

    [Theory]
    [InlineData("serve = [ ]")]
    [InlineData("serve = [\n # none\n]")]
    [InlineData("none = []\ntapwire.serve = ${none}", "")]
    public void An_empty_list_is_empty_however_it_is_written(string text, string root = "tapwire.") => Assert.Empty(Read(root + text).Serve);

    [Fact]
    public void Lists_may_be_joined() =>
        Assert.Equal(["a", "b", "c"], Read("more = [c]\ntapwire.link.users = [a] [ b ] ${more}").Link.Users);

    [Fact]
    public void A_setting_that_is_missing_altogether_is_named()
    {
        var defaults = SettingsSource.Parse("akka.hocon", "akka { loglevel = INFO, stdout-loglevel = OFF }\ntapwire.wire = a");
        Assert.Equal("akka.hocon: tapwire.dispatcher.type is missing.", Assert.Throws<SettingsException>(() => HostConfiguration.Combine(null, defaults)).Message);
    }

    [Fact]
    public void A_key_that_nothing_reads_is_refused_in_our_own_file_too()
    {
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "akka.hocon"));
        var defaults = SettingsSource.Parse("akka.hocon", $"tapwire.colour = blue\n{text}");
        Assert.Equal("akka.hocon line 1: tapwire.colour is not a setting.", Assert.Throws<SettingsException>(() => HostConfiguration.Combine(null, defaults)).Message);
    }

    [GeneratedRegex(@"from (?<least>\S+( [KMGTP]iB)?) to (?<most>\S+( [KMGTP]iB)?)[,. ]")]
    private static partial Regex RangeIn();

    private static DriverSettings Read(string text) => HostConfiguration.Combine(SettingsSource.Parse("mine.conf", text), Defaults).Settings;

    /// <summary>All values, however deep.</summary>
    private static string Describe(object? value)
    {
        var text = new StringBuilder();
        Append(value);
        return text.ToString();

        void Append(object? part)
        {
            if (part is IEnumerable and not string)
            {
                foreach (var item in (IEnumerable)part)
                    Append(item);
            }
            else if (part is not null && part.GetType().Namespace!.StartsWith("Tapwire", StringComparison.Ordinal) && !part.GetType().IsValueType)
            {
                foreach (var property in part.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
                {
                    text.Append(property.Name).Append('=');
                    Append(property.GetValue(part));
                }
            }
            else
            {
                text.Append(part).Append(';');
            }
        }
    }
}
