using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>Linux's rules for the memberships of one socket.</summary>
public sealed class SocketMembershipsSpec
{
    private static readonly IpAddress Group = IpAddress.Parse("239.1.1.1");

    private readonly SocketMemberships _socket = new();

    private SourceFilter? Filter => _socket.Find(1, Group);

    [Fact]
    public void Twenty_groups_and_ten_sources_and_no_more()
    {
        for (var i = 0; i < SocketMemberships.MaxV4; i++)
            Assert.Equal(StackError.None, Change(MembershipAction.Join, group: $"239.1.1.{i}"));
        Assert.Equal(StackError.NoBufferSpace, Change(MembershipAction.Join, group: "239.1.2.1"));
        Assert.Equal(StackError.NoBufferSpace, Change(MembershipAction.JoinSource, 1, "239.1.2.1"));
        for (var i = 0; i < SocketMemberships.MaxSourcesV4; i++)
            Assert.Equal(StackError.None, Change(MembershipAction.BlockSource, i));
        Assert.Equal(StackError.NoBufferSpace, Change(MembershipAction.BlockSource, 99));
        Assert.Equal(StackError.NoBufferSpace, Change(MembershipAction.SetFilter, filter: SourceFilter.Include(Enumerable.Range(0, 11).Select(Source))));
        Assert.Equal(10, Filter!.Sources.Count);

        // IPv6 has limits of its own.
        Assert.Equal(StackError.None, Change(MembershipAction.Join, group: "ff02::5"));
    }

    [Fact]
    public void The_mode_of_a_filter_with_sources_stays()
    {
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(StackError.InvalidArgument, Change(MembershipAction.BlockSource, 2));
        Assert.Equal(StackError.InvalidArgument, Change(MembershipAction.UnblockSource, 1));
        Assert.Equal(SourceFilter.Include([Source(1)]), Filter);
    }

    [Fact]
    public void A_filter_without_sources_changes_its_mode()
    {
        Assert.Equal(StackError.None, Change(MembershipAction.Join));
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(SourceFilter.Include([Source(1)]), Filter);
    }

    [Fact]
    public void A_filter_that_has_had_a_source_keeps_its_mode_until_it_is_set_as_a_whole()
    {
        Assert.Equal(StackError.None, Change(MembershipAction.Join));
        Assert.Equal(StackError.None, Change(MembershipAction.BlockSource, 1));
        Assert.Equal(StackError.None, Change(MembershipAction.UnblockSource, 1));
        Assert.Equal(StackError.InvalidArgument, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(StackError.None, Change(MembershipAction.SetFilter, filter: SourceFilter.Everything));
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 1));
    }

    [Fact]
    public void The_last_source_left_is_the_group_left()
    {
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 2));
        Assert.Equal(StackError.None, Change(MembershipAction.LeaveSource, 1));
        Assert.Equal(StackError.None, Change(MembershipAction.LeaveSource, 2));
        Assert.Null(Filter);
        Assert.Equal(StackError.InvalidArgument, Change(MembershipAction.LeaveSource, 2));
    }

    [Fact]
    public void A_source_is_there_once()
    {
        Assert.Equal(StackError.None, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(StackError.AddressNotAvailable, Change(MembershipAction.JoinSource, 1));
        Assert.Equal(StackError.AddressNotAvailable, Change(MembershipAction.LeaveSource, 2));
    }

    [Fact]
    public void A_whole_filter_is_for_members_and_the_empty_one_leaves()
    {
        Assert.Equal(StackError.InvalidArgument, Change(MembershipAction.SetFilter, filter: SourceFilter.Include([Source(1)])));
        Assert.Equal(StackError.None, Change(MembershipAction.Join));
        Assert.Equal(StackError.None, Change(MembershipAction.SetFilter, filter: SourceFilter.Include([Source(2), Source(1), Source(2)])));
        Assert.Equal([Source(1), Source(2)], Filter!.Sources);
        Assert.Equal(StackError.None, Change(MembershipAction.SetFilter, filter: SourceFilter.Nothing));
        Assert.Null(Filter);
        Assert.Equal(StackError.AddressNotAvailable, Change(MembershipAction.SetFilter, filter: SourceFilter.Nothing));
    }

    [Theory]
    [InlineData("I1,2;I2,3", "I1,2,3")]
    [InlineData("E1,2;E2,3", "E2")]
    [InlineData("E1,2;I2,3", "E1")]
    [InlineData("E;I2,3", "E")]
    [InlineData("E1;E2", "E")]
    [InlineData("", "I")]
    public void Filters_are_merged_by_RFC_3376(string filters, string merged)
    {
        Assert.Equal(Parse(merged), SourceFilter.Merge(filters.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(Parse)));
    }

    [Fact]
    public void More_sources_than_an_interface_remembers_are_all_let_through()
    {
        var many = Enumerable.Range(0, 20).Select(i => SourceFilter.Include(Enumerable.Range(i * 60, 60).Select(Source)));
        Assert.Equal(SourceFilter.Everything, SourceFilter.Merge(many));
    }

    private static SourceFilter Parse(string text)
    {
        var sources = text[1..].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).Select(Source);
        return text[0] == 'I' ? SourceFilter.Include(sources) : SourceFilter.Exclude(sources);
    }

    private static IpAddress Source(int number) => IpAddress.FromV4(0x0A000000u + (uint)number);

    private StackError Change(MembershipAction action, int source = 0, string? group = null, SourceFilter? filter = null) =>
        _socket.Change(new MembershipChange(action, group is null ? Group : IpAddress.Parse(group)) { Source = Source(source), Filter = filter }, 1, out _, out _);
}
