using Tapwire.Stack.Interfaces;
using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Configuration;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

/// <summary>Sizes, durations, wires and services as people write them.</summary>
public sealed class UnitSpecs
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("512", 512)]
    [InlineData("512B", 512)]
    [InlineData("64KiB", 65536)]
    [InlineData(" 64 KiB ", 65536)]
    [InlineData("64K", 65536)]
    [InlineData("64kB", 64000)]
    [InlineData("64KB", 64000)]
    [InlineData("1.5MiB", 1572864)]
    [InlineData("10MB", 10_000_000)]
    [InlineData("2GiB", 2147483648)]
    [InlineData("1G", 1073741824)]
    [InlineData("3TB", 3_000_000_000_000)]
    public void A_size_is_read(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var value));
        Assert.Equal(bytes, value);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("KiB")]
    [InlineData("-1")]
    [InlineData("1,5MiB")]
    [InlineData("64 kibibytes")]
    [InlineData("0x10")]
    [InlineData("1e9")]
    [InlineData("99999999999TiB")]
    [InlineData("NaN")]
    [InlineData("-Infinity")]
    public void What_is_no_size_is_refused(string? text) => Assert.False(ByteSize.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(65536, "64 KiB")]
    [InlineData(1572864, "1.5 MiB")]
    [InlineData(1073741824, "1 GiB")]
    [InlineData(1099511627776, "1 TiB")]
    [InlineData(1125899906842624, "1024 TiB")]
    public void A_size_is_written_with_the_largest_unit_that_fits(double bytes, string text) => Assert.Equal(text, ByteSize.Format(bytes));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("500us", 5000)]
    [InlineData("500µs", 5000)]
    [InlineData("10ms", 100_000)]
    [InlineData(" 10 ms ", 100_000)]
    [InlineData("1.5s", 15_000_000)]
    [InlineData("5m", 3_000_000_000)]
    [InlineData("1h", 36_000_000_000)]
    [InlineData("2d", 1_728_000_000_000)]
    [InlineData("infinite", -10_000)]
    public void A_duration_is_read(string text, long ticks)
    {
        Assert.True(Duration.TryParse(text, out var value));
        Assert.Equal(ticks, value.Ticks);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("ms")]
    [InlineData("-5ms")]
    [InlineData("5 parsecs")]
    [InlineData("1,5s")]
    [InlineData("99999999999999d")]
    [InlineData("NaNms")]
    public void What_is_no_duration_is_refused(string? text) => Assert.False(Duration.TryParse(text, out _));

    [Theory]
    [InlineData("0", "0")]
    [InlineData("500us", "500us")]
    [InlineData("1500us", "1.5ms")]
    [InlineData("10ms", "10ms")]
    [InlineData("1500ms", "1.5s")]
    [InlineData("90s", "1.5m")]
    [InlineData("36h", "36h")]
    [InlineData("infinite", "infinite")]
    public void A_duration_is_written_so_that_it_reads_back(string text, string written)
    {
        Assert.True(Duration.TryParse(text, out var value));
        Assert.Equal(written, Duration.Format(value));
        Assert.True(Duration.TryParse(written, out var again));
        Assert.Equal(value, again);
    }

    [Theory]
    [InlineData("tap:tw0", "tap", "tw0", Medium.Ethernet)]
    [InlineData("tun:a", "tun", "a", Medium.Ip)]
    [InlineData("tap:fifteen-letters", "tap", "fifteen-letters", Medium.Ethernet)]
    [InlineData("wg:/etc/wireguard/office.conf", "wg", "/etc/wireguard/office.conf", Medium.Ip)]
    public void A_wire_is_read(string text, string kind, string name, Medium medium)
    {
        var wire = WireSpec.Parse(text);
        Assert.Equal(new WireSpec(kind, name), wire);
        Assert.Equal(medium, wire!.Medium);
        Assert.Equal(text, wire.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("tap")]
    [InlineData("tap:")]
    [InlineData("veth:x")]
    [InlineData("tap:sixteen-letters!")]
    [InlineData("tap:a b")]
    [InlineData("tap:a/b")]
    [InlineData("tap:a:b")]
    [InlineData("tap:a%d")]
    [InlineData("wg:")]
    [InlineData("wg:.conf")]
    [InlineData("wg:/etc/wireguard/a-name-of-sixteen.conf")]
    public void What_is_no_wire_is_refused(string? text) => Assert.Null(WireSpec.Parse(text));

    [Theory]
    [InlineData("echo:7", "echo", 7)]
    [InlineData("discard:9", "discard", 9)]
    [InlineData("source:19", "source", 19)]
    [InlineData("http:65535", "http", 65535)]
    public void A_service_is_read(string text, string name, int port)
    {
        Assert.Equal(new ServiceSpec(name, (ushort)port), ServiceSpec.Parse(text));
        Assert.Equal(text, ServiceSpec.Parse(text)!.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("echo")]
    [InlineData("echo:0")]
    [InlineData("echo:65536")]
    [InlineData("echo:+7")]
    [InlineData("echo:7:8")]
    [InlineData("Echo:7")]
    [InlineData("telnet:23")]
    public void What_is_no_service_is_refused(string? text) => Assert.Null(ServiceSpec.Parse(text));

    [Theory]
    [InlineData("5000", 5000)]
    [InlineData("9600bit", 9600)]
    [InlineData("512k", 512_000)]
    [InlineData("512kbit", 512_000)]
    [InlineData("100M", 100_000_000)]
    [InlineData("100mbit", 100_000_000)]
    [InlineData("100Mbit", 100_000_000)]
    [InlineData("1.5gbit", 1_500_000_000)]
    public void A_rate_is_read(string text, long bitsPerSecond)
    {
        Assert.True(BitRate.TryParse(text, out var value));
        Assert.Equal(bitsPerSecond, value);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("bit")]
    [InlineData("5m")]
    [InlineData("-5M")]
    [InlineData("10mbps")]
    [InlineData("1e9")]
    [InlineData("99999999999G")]
    public void What_is_no_rate_is_refused(string? text) => Assert.False(BitRate.TryParse(text, out _));
}
