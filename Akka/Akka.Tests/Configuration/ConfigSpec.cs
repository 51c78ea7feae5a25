using System.Reflection;
using Akka.Configuration;
using Akka.Configuration.Hocon;
using Xunit;

namespace Akka.Tests.Configuration;

public class ConfigSpec
{
    private static Config Parse(string hocon) => ConfigurationFactory.ParseString(hocon);

    [Fact]
    public void What_is_missing_is_the_default()
    {
        var config = Parse("a = 1");
        Assert.False(config.HasPath("x.y"));
        Assert.Null(config.GetValue("x.y"));
        Assert.Null(config.GetConfig("x.y"));
        Assert.Null(config.GetString("x"));
        Assert.Equal("d", config.GetString("x", "d"));
        Assert.Equal((0, 7), (config.GetInt("x"), config.GetInt("x", 7)));
        Assert.Equal((0L, 7L), (config.GetLong("x"), config.GetLong("x", 7)));
        Assert.Equal((0f, 7f), (config.GetFloat("x"), config.GetFloat("x", 7)));
        Assert.Equal((0d, 7d), (config.GetDouble("x"), config.GetDouble("x", 7)));
        Assert.Equal((0m, 7m), (config.GetDecimal("x"), config.GetDecimal("x", 7)));
        Assert.Equal((false, true), (config.GetBoolean("x"), config.GetBoolean("x", true)));
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(7)), (config.GetTimeSpan("x"), config.GetTimeSpan("x", TimeSpan.FromSeconds(7))));
        Assert.Null(config.GetByteSize("x"));
        Assert.Equal(7, config.GetByteSize("x", 7));
        Assert.Empty(config.GetStringList("x"));
        Assert.Equal(["d"], config.GetStringList("x", ["d"]));
        Assert.Null(config.GetString("a.b"));
    }

    [Theory]
    [InlineData("5ms", 5 * TimeSpan.TicksPerMillisecond)]
    [InlineData("5", 5 * TimeSpan.TicksPerMillisecond)]
    [InlineData("10 seconds", 10 * TimeSpan.TicksPerSecond)]
    [InlineData("10 s", 10 * TimeSpan.TicksPerSecond)]
    [InlineData("0.05s", 50 * TimeSpan.TicksPerMillisecond)]
    [InlineData("\"1 minute\"", TimeSpan.TicksPerMinute)]
    [InlineData("2m", 2 * TimeSpan.TicksPerMinute)]
    [InlineData("3h", 3 * TimeSpan.TicksPerHour)]
    [InlineData("1 day", TimeSpan.TicksPerDay)]
    [InlineData("7 micros", 70)]
    [InlineData("300 ns", 3)]
    [InlineData("infinite", -TimeSpan.TicksPerMillisecond)]
    [InlineData("Infinite", -TimeSpan.TicksPerMillisecond)]
    public void Durations_have_units(string text, long ticks) => Assert.Equal(ticks, Parse($"a = {text}").GetTimeSpan("a").Ticks);

    [Theory]
    [InlineData("-5s")]
    [InlineData("five seconds")]
    [InlineData("5 parsecs")]
    [InlineData("s")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("99999999999d")]
    public void A_bad_duration_is_refused_with_its_path_and_line(string text)
    {
        var error = Assert.Throws<FormatException>(() => Parse($"x = 1\n\na.b = {text}").GetTimeSpan("a.b"));
        Assert.StartsWith("a.b: expected a duration", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("(line 3)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Infinite_is_refused_where_it_is_not_allowed() =>
        Assert.Throws<FormatException>(() => Parse("a = infinite").GetTimeSpan("a", allowInfinite: false));

    [Theory]
    [InlineData("512", 512)]
    [InlineData("512b", 512)]
    [InlineData("64 KiB", 65_536)]
    [InlineData("64k", 65_536)]
    [InlineData("64kB", 64_000)]
    [InlineData("10 MB", 10_000_000)]
    [InlineData("10m", 10_485_760)]
    [InlineData("2 gibibytes", 2_147_483_648)]
    [InlineData("1EB", 1_000_000_000_000_000_000)]
    public void Sizes_have_units(string text, long bytes) => Assert.Equal(bytes, Parse($"a = {text}").GetByteSize("a"));

    [Theory]
    [InlineData("many")]
    [InlineData("5 furlongs")]
    [InlineData("100E")]
    public void A_bad_size_is_refused(string text) => Assert.Throws<FormatException>(() => Parse($"a = {text}").GetByteSize("a"));

    [Theory]
    [InlineData("on", true)]
    [InlineData("true", true)]
    [InlineData("off", false)]
    [InlineData("false", false)]
    public void Booleans_are_on_off_true_and_false(string text, bool expected) => Assert.Equal(expected, Parse($"a = {text}").GetBoolean("a", !expected));

    [Fact]
    public void Any_other_boolean_is_refused() =>
        Assert.StartsWith("a: Unknown boolean format: 'maybe'",
            Assert.Throws<NotSupportedException>(() => Parse("a = maybe").GetBoolean("a")).Message, StringComparison.Ordinal);

    [Fact]
    public void Numbers_are_read_whatever_the_culture()
    {
        var config = Parse("a = -1.25, b = 9000000000, c = [1.5, 2], d = [1, 255], e = [on, off]");
        Assert.Equal(-1.25, config.GetDouble("a"));
        Assert.Equal(-1.25f, config.GetFloat("a"));
        Assert.Equal(-1.25m, config.GetDecimal("a"));
        Assert.Equal(9_000_000_000, config.GetLong("b"));
        Assert.Equal([1.5, 2.0], config.GetDoubleList("c"));
        Assert.Equal([1.5f, 2f], config.GetFloatList("c"));
        Assert.Equal([1.5m, 2m], config.GetDecimalList("c"));
        Assert.Equal([1, 255], config.GetIntList("d"));
        Assert.Equal([1L, 255L], config.GetLongList("d"));
        Assert.Equal(new byte[] { 1, 255 }, config.GetByteList("d"));
        Assert.Equal([true, false], config.GetBooleanList("e"));
        Assert.Throws<FormatException>(() => config.GetInt("a"));
        Assert.Throws<FormatException>(() => config.GetInt("b"));
    }

    [Fact]
    public void A_fallback_speaks_where_the_configuration_is_silent()
    {
        var first = Parse("foo.bar { a = 1, o = 5, n = null }");
        var second = Parse("foo.bar { a = 2, b = 2, o { x = 1 }, n = 9 }");
        var third = Parse("foo.bar { a = 3, b = 3, c = 3 }, top = 1");

        foreach (var config in new[] { first.WithFallback(second).WithFallback(third), first.WithFallback(second.WithFallback(third)) })
        {
            var bar = config.GetConfig("foo.bar")!;
            Assert.Equal((1, 2, 3, 5), (bar.GetInt("a"), bar.GetInt("b"), bar.GetInt("c"), bar.GetInt("o")));
            Assert.Equal((1, 2, 3), (config.GetInt("foo.bar.a"), config.GetInt("foo.bar.b"), config.GetInt("foo.bar.c")));
            Assert.Null(bar.GetString("n", "default"));
            Assert.True(config.HasPath("top"));
            Assert.Equal(["foo", "top"], config.AsEnumerable().Select(kv => kv.Key).Order());
        }
        Assert.Equal(1, second.WithFallback(first).GetInt("foo.bar.o.x"));
        Assert.False(first.HasPath("foo.bar.b"));
        Assert.False(second.HasPath("top"));
    }

    [Fact]
    public void Nothing_is_a_neutral_fallback()
    {
        var config = Parse("a = 1");
        Assert.Same(config, config.WithFallback(null));
        Assert.Same(config, config.WithFallback(Config.Empty));
        Assert.Same(config, Config.Empty.WithFallback(config));
        Assert.Same(config, ((Config?)null).SafeWithFallback(config));
        Assert.Same(config, config.SafeWithFallback(config));
        Assert.Throws<ArgumentException>(() => config.WithFallback(config));
        Assert.Equal(2, new Config(Parse("b = 2"), config).GetInt("b"));
        Assert.Equal(1, new Config(Parse("b = 2"), config).GetInt("a"));
    }

    [Fact]
    public void Emptiness_is_having_no_key()
    {
        Assert.True(Config.Empty.IsEmpty);
        Assert.True(ConfigurationFactory.Empty.IsEmpty);
        Assert.True(Parse("# only a comment").IsEmpty);
        Assert.True(new Config().IsNullOrEmpty());
        Assert.True(((Config?)null).IsNullOrEmpty());
        Assert.False(Parse("a = null").IsNullOrEmpty());
    }

    [Fact]
    public void Strings_are_configurations_to_the_operators()
    {
        Config config = "a = 1";
        Assert.Equal(2, (config + "b = 2").GetInt("b"));
        Assert.Equal(3, ("a = 3" + config).GetInt("a"));
    }

    [Fact]
    public void A_value_can_be_put_at_a_key_or_made_the_root()
    {
        var value = Parse("a { b = 1 }").GetValue("a")!;
        Assert.Equal(1, value.AtKey("x").GetInt("x.b"));
        Assert.Equal(1, value.ToConfig().GetInt("b"));
    }

    [Theory]
    [InlineData("a = 1")]
    [InlineData("a { b { c = [1, { x = \"y z\" }, []], d = {} } }")]
    [InlineData("\"a.b\" { \"c d\" = \"null\", e = null, f = \"\" }")]
    [InlineData("a = \"quote\\\" back\\\\ tab\\t line\\n bell\\u0007\"")]
    [InlineData("a = \"http://x:80/?q=1#f\", include = \"// $ {\"")]
    [InlineData("\"\" = 1, \"x+=\" = 2, \"#\" = 3, \"include \\\"a\\\"\" = 4")]
    public void What_is_printed_parses_again_to_the_same(string hocon)
    {
        var config = Parse(hocon);
        var printed = config.ToString();
        Assert.NotEmpty(printed);
        Assert.Equal(Flatten(config.Root), Flatten(Parse(printed).Root));
        Assert.Equal(printed, Parse(printed).ToString());
    }

    [Fact]
    public void Printing_leaves_the_fallback_out_unless_asked()
    {
        var config = Parse("a = 1").WithFallback(Parse("b = 2"));
        Assert.Equal("a : 1\n", config.ToString());
        Assert.Equal(2, Parse(config.ToString(includeFallback: true)).GetInt("b"));
        Assert.Equal("x : 1\n", Parse("s { x = 1 }").WithFallback(Parse("s { y = 2 }")).GetConfig("s")!.ToString());
    }

    [Fact]
    public void An_object_becomes_a_configuration()
    {
        var config = ConfigurationFactory.FromObject(new { a = new { Name = "x \"y\"", Count = 3, On = true, None = (string?)null }, List = new[] { 1, 2 } });
        Assert.Equal("x \"y\"", config.GetString("a.Name"));
        Assert.Equal(3, config.GetInt("a.Count"));
        Assert.True(config.GetBoolean("a.On"));
        Assert.Null(config.GetString("a.None"));
        Assert.Equal([1, 2], config.GetIntList("List"));
    }

    [Fact]
    public void The_reference_configuration_is_embedded()
    {
        var config = ConfigurationFactory.Default();
        Assert.Equal("INFO", config.GetString("akka.loglevel"));
        Assert.Equal(30, config.GetInt("akka.actor.default-dispatcher.throughput"));
        Assert.Equal(TimeSpan.FromSeconds(10), config.GetTimeSpan("akka.coordinated-shutdown.phases.actor-system-terminate.timeout"));
    }

    [Fact]
    public void A_missing_resource_is_named()
    {
        foreach (var instance in new object[] { this, GetType(), Assembly.GetExecutingAssembly() })
            Assert.Throws<ConfigurationException>(() => ConfigurationFactory.FromResource("no.such.conf", instance));
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationFactory.FromResource<ConfigSpec>("no.such.conf"));
        Assert.Contains("no.such.conf", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_an_application_configuration_file_there_is_nothing_to_load() => Assert.True(ConfigurationFactory.Load().IsEmpty);

    private static string Flatten(HoconValue value) =>
        value.GetObject() is { } o ? $"{{{string.Join(';', o.Items.OrderBy(kv => kv.Key, StringComparer.Ordinal).Select(kv => $"<{kv.Key}>{Flatten(kv.Value)}"))}}}"
        : value.IsArray() ? $"[{string.Join(';', value.GetArray().Select(Flatten))}]"
        : value.GetString() is { } text ? $"<{text}>" : "null";
}
