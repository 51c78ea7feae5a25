using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>The formats of queries.</summary>
public sealed class GroupQuerySpec
{
    [Theory]
    [InlineData("1100 0000 00000000", 1, 10_000, "0.0.0.0", 0, 0, "")]
    [InlineData("1114 0000 ef010203", 2, 2000, "239.1.2.3", 0, 0, "")]
    [InlineData("1164 0000 ef010203 0a7d 0002 0a000001 0a000002", 3, 10_000, "239.1.2.3", 2, 125, "10.0.0.1 10.0.0.2")]
    [InlineData("118f 0000 00000000 00ff 0000", 3, 24_800, "0.0.0.0", 0, 31_744, "")]
    public void Igmp(string hex, int version, int milliseconds, string group, int robustness, int interval, string sources)
    {
        Assert.True(GroupQuery.TryParseIgmp(Bytes(hex), out var query));
        AssertIs(query, version, milliseconds, group, robustness, interval, sources);
    }

    [Theory]
    [InlineData("82000000 03e80000 00000000000000000000000000000000", 1, 1000, "::", 0, 0, "")]
    [InlineData("82000000 27100000 ff150000000000000000000000000001 0a7d 0001 fd000000000000000000000000000003", 2, 10_000, "ff15::1", 2, 125, "fd00::3")]
    [InlineData("82000000 80010000 00000000000000000000000000000000 0000 0000", 2, 32_776, "::", 0, 0, "")]
    public void Mld(string hex, int version, int milliseconds, string group, int robustness, int interval, string sources)
    {
        Assert.True(GroupQuery.TryParseMld(Bytes(hex), out var query));
        AssertIs(query, version, milliseconds, group, robustness, interval, sources);
    }

    [Fact]
    public void Every_shorter_message_is_refused_or_another_version()
    {
        var igmp = Bytes("1164 0000 ef010203 0a7d 0002 0a000001 0a000002");
        for (var length = 0; length < igmp.Length; length++)
            Assert.Equal(length == 8, GroupQuery.TryParseIgmp(igmp.AsSpan(0, length), out _));
        var mld = Bytes("82000000 27100000 ff150000000000000000000000000001 0a7d 0001 fd000000000000000000000000000003");
        for (var length = 0; length < mld.Length; length++)
            Assert.Equal(length == 24, GroupQuery.TryParseMld(mld.AsSpan(0, length), out _));
    }

    [Fact]
    public void An_IPv4_address_in_IPv6s_form_is_no_group_of_MLD() =>
        Assert.False(GroupQuery.TryParseMld(Bytes("82000000 03e80000 00000000000000000000ffffef010203"), out _));

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));

    private static void AssertIs(in GroupQuery query, int version, int milliseconds, string group, int robustness, int interval, string sources)
    {
        Assert.Equal((version, milliseconds, group, robustness, interval),
            (query.Version, (int)query.MaxResponse.TotalMilliseconds, $"{query.Group}", query.Robustness, (int)query.Interval.TotalSeconds));
        var found = new List<string>();
        for (var i = 0; i < query.SourceCount; i++)
            found.Add($"{query.Source(i)}");
        Assert.Equal(sources, string.Join(' ', found));
    }
}
