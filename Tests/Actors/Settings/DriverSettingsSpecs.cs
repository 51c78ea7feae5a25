using System.Collections;
using System.Reflection;
using System.Text;
using Tapwire.Actors.Settings;
using Xunit;

namespace Tapwire.Tests.Actors.Settings;

public sealed class DriverSettingsSpecs
{
    private static readonly SettingsSource Defaults = new("akka.hocon", File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "akka.hocon")));

    /// <summary>Every key below tapwire with another value than its default's.</summary>
    public static TheoryData<string, string> Keys => new()
    {
        { "wire", "\"tun:tw1\"" },
        { "addresses", "[\"10.1.2.3/8\"]" },
        { "gateway", "\"10.0.0.254\"" },
        { "mac", "\"02:00:5e:10:00:01\"" },
        { "mtu", "1400" },
        { "shards", "3" },
        { "shutdown-timeout", "3s" },
        { "tap.offload", "off" },
        { "tap.software-offload", "off" },
        { "tap.read-batch", "32" },
        { "tap.queue-frames", "99" },
        { "tap.reopen-minimum", "50ms" },
        { "tap.reopen-maximum", "9s" },
        { "stack.queue-frames", "99" },
        { "stack.queue-bytes", "1MiB" },
        { "stack.frames-per-poll", "99" },
        { "stack.egress-credit", "99" },
        { "stack.maximum-tick", "99ms" },
        { "stack.hop-limit", "99" },
        { "neighbor.entries", "99" },
        { "neighbor.queued-packets", "99" },
        { "neighbor.queued-bytes", "99KiB" },
        { "neighbor.probes", "9" },
        { "neighbor.retransmit-time", "99ms" },
        { "neighbor.reachable-time", "99s" },
        { "icmp.errors-per-second", "99" },
        { "icmp.error-burst", "99" },
        { "udp.sockets", "99" },
        { "tcp.receive-buffer", "2MiB" },
        { "tcp.send-buffer", "2MiB" },
        { "tcp.max-receive-buffer", "99MiB" },
        { "tcp.max-send-buffer", "99MiB" },
        { "tcp.memory", "99MiB" },
        { "tcp.max-sockets", "99" },
        { "tcp.max-embryonic", "99" },
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
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void Every_key_changes_the_settings(string key, string value) =>
        Assert.NotEqual(Describe(Read("")), Describe(Read($"tapwire.{key} = {value}")));

    [Fact]
    public void The_table_of_keys_is_that_of_the_file()
    {
        var config = Defaults.Parse();
        var keys = new List<string>();
        Collect(config.GetValue("tapwire").GetObject(), "");
        Assert.Equal(keys.Order(StringComparer.Ordinal), Keys.Select(row => (string)row[0]).Order(StringComparer.Ordinal));

        void Collect(Akka.Configuration.Hocon.HoconObject section, string prefix)
        {
            foreach (var (name, value) in section.Items)
            {
                if (name == "dispatcher")
                    continue; // the actor system's
                if (value.IsObject())
                    Collect(value.GetObject(), prefix + name + ".");
                else
                    keys.Add(prefix + name);
            }
        }
    }

    [Fact]
    public void The_same_settings_read_the_same() => Assert.Equal(Describe(Read("")), Describe(Read("")));

    [Theory]
    [InlineData("wire", "\"eth0\"", "tap:NAME or tun:NAME")]
    [InlineData("wire", "\"tap:a-name-that-is-too-long\"", "tap:NAME or tun:NAME")]
    [InlineData("addresses", "[\"10.0.0.1\"]", "ADDRESS/LENGTH")]
    [InlineData("addresses", "\"10.0.0.1/24\"", "a list of ADDRESS/LENGTH")]
    [InlineData("gateway", "\"somewhere\"", "an IP address or empty")]
    [InlineData("mac", "\"01:00:5e:00:00:01\"", "a unicast address")]
    [InlineData("mtu", "67", "0 or 68..65535")]
    [InlineData("mtu", "65536", "from 0 to 65535")]
    [InlineData("mtu", "many", "from 0 to 65535")]
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

    [Theory]
    [InlineData("tapwire.tcp.recieve-buffer = 1MiB", "tcp.recieve-buffer", " Did you mean tapwire.tcp.receive-buffer?")]
    [InlineData("tapwire.adresses = []", "adresses", " Did you mean tapwire.addresses?")]
    [InlineData("tapwire.stack.queue-frame = 5", "stack.queue-frame", " Did you mean tapwire.stack.queue-frames?")]
    [InlineData("tapwire.colour = blue", "colour", "")]
    [InlineData("tapwire.tpc { retries = 5 }", "tpc", "")]
    public void An_unknown_key_is_refused_with_its_line_and_the_one_that_was_perhaps_meant(string text, string key, string hint)
    {
        var message = Assert.Throws<SettingsException>(() => Read("\n" + text)).Message;
        Assert.Equal($"mine.conf line 2: tapwire.{key} is not a setting.{hint}", message);
    }

    [Fact]
    public void A_value_where_a_section_belongs_is_refused() =>
        Assert.Throws<SettingsException>(() => Read("tapwire.tcp = 5"));

    [Fact]
    public void What_is_not_HOCON_is_refused_with_the_name_of_the_file() =>
        Assert.StartsWith("mine.conf: ", Assert.Throws<SettingsException>(() => Read("tapwire { wire = ")).Message, StringComparison.Ordinal);

    [Fact]
    public void Keys_of_the_actor_system_and_of_the_dispatcher_are_not_ours_to_refuse() =>
        Read("akka.actor.anything = 5\ntapwire.dispatcher.throughput = 5");

    private static DriverSettings Read(string text)
    {
        var own = new SettingsSource("mine.conf", text);
        return DriverSettings.Read(own.Parse().WithFallback(Defaults.Parse()), own, Defaults);
    }

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
