using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>What the network is told of the groups that sockets are in (RFC 3376, RFC 3810, and the older versions).</summary>
public abstract class GroupReportsSpec(bool isV6) : IDisposable
{
    private readonly GroupNetwork _net = new(isV6);

    public void Dispose()
    {
        _net.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    public void Joining_and_leaving_are_reported_at_once_and_once_more_within_a_second()
    {
        var socket = _net.Joined();
        Assert.Equal(["ChangeToExclude group {}"], _net.Reports());
        Assert.Equal(["ChangeToExclude group {}"], _net.ReportsWithin(1));
        Assert.Empty(_net.ReportsWithin(100));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Leave));
        Assert.Equal(["ChangeToInclude group {}"], _net.Reports());
        Assert.Equal(["ChangeToInclude group {}"], _net.ReportsWithin(1));
        Assert.Empty(_net.ReportsWithin(100));
    }

    [Fact]
    public void The_host_is_in_a_group_as_long_as_any_socket_is()
    {
        var first = _net.Joined();
        var second = _net.Joined();
        _ = _net.ReportsWithin(2);
        first.Close();
        Assert.Empty(_net.ReportsWithin(2));
        second.Close();
        Assert.Equal(["ChangeToInclude group {}", "ChangeToInclude group {}"], _net.ReportsWithin(2));
    }

    [Fact]
    public void What_was_joined_and_left_again_meanwhile_is_not_reported()
    {
        var socket = _net.Joined();
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Leave));
        Assert.Empty(_net.ReportsWithin(2));
    }

    [Fact]
    public void Sources_that_are_wanted_or_not_since_are_reported_as_such()
    {
        var socket = _net.Open();
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.JoinSource, 3));
        Assert.Equal(["AllowNewSources group {3}", "AllowNewSources group {3}"], _net.ReportsWithin(2));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.JoinSource, 4));
        Assert.Equal(["AllowNewSources group {4}"], _net.Reports());
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.LeaveSource, 3));
        // What is still to be repeated of the one goes along with the other.
        Assert.Equal(["AllowNewSources group {4}", "BlockOldSources group {3}"], _net.Reports());
        Assert.Equal(["BlockOldSources group {3}"], _net.ReportsWithin(2));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.LeaveSource, 4));
        Assert.Equal(["BlockOldSources group {4}", "BlockOldSources group {4}"], _net.ReportsWithin(2));
    }

    [Fact]
    public void Another_mode_is_reported_with_the_whole_list()
    {
        var socket = _net.Joined();
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.BlockSource, 3));
        Assert.Equal(["ChangeToExclude group {3}"], _net.Reports());
        _ = _net.ReportsWithin(2);
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.BlockSource, 4));
        Assert.Equal(["BlockOldSources group {4}", "BlockOldSources group {4}"], _net.ReportsWithin(2));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.SetFilter, filter: SourceFilter.Include([_net.SourceAt(7), _net.SourceAt(6)])));
        Assert.Equal(["ChangeToInclude group {6 7}", "ChangeToInclude group {6 7}"], _net.ReportsWithin(2));
    }

    [Fact]
    public void The_union_of_what_several_sockets_want_is_reported()
    {
        var includes = _net.Open();
        _ = _net.Change(includes, MembershipAction.JoinSource, 3);
        _ = _net.ReportsWithin(2);
        var excludes = _net.Joined();
        _ = _net.Change(excludes, MembershipAction.BlockSource, 3);
        _ = _net.Change(excludes, MembershipAction.BlockSource, 4);
        Assert.Equal(["ChangeToExclude group {4}", "ChangeToExclude group {4}"], _net.ReportsWithin(2));
        includes.Close();
        Assert.Equal(["BlockOldSources group {3}", "BlockOldSources group {3}"], _net.ReportsWithin(2));
    }

    [Fact]
    public void A_general_query_is_answered_once_within_its_time_by_the_state_of_all_groups()
    {
        var socket = _net.Joined();
        _ = _net.Change(socket, MembershipAction.Join, group: _net.OtherGroup);
        _ = _net.Change(socket, MembershipAction.BlockSource, 3, group: _net.OtherGroup);
        _ = _net.ReportsWithin(2);
        _net.Query();
        Assert.Empty(_net.Reports());
        Assert.Equal(["ModeIsExclude group {}", "ModeIsExclude other {3}"], _net.ReportsWithin(1).Order());
        Assert.Empty(_net.ReportsWithin(100));
    }

    [Fact]
    public void A_host_in_no_group_does_not_answer()
    {
        _net.Query();
        _net.Query(_net.Group);
        Assert.Empty(_net.ReportsWithin(10));
    }

    [Fact]
    public void Queries_about_a_group_and_sources_are_answered_by_what_of_them_is_wanted()
    {
        var socket = _net.Open();
        _ = _net.Change(socket, MembershipAction.JoinSource, 3);
        _ = _net.Change(socket, MembershipAction.JoinSource, 4);
        _ = _net.ReportsWithin(2);
        _net.Query(_net.Group, [4, 5]);
        Assert.Equal(["ModeIsInclude group {4}"], _net.ReportsWithin(1));
        _net.Query(_net.Group, [5]);
        Assert.Empty(_net.ReportsWithin(1));
        _net.Query(_net.Group);
        Assert.Equal(["ModeIsInclude group {3 4}"], _net.ReportsWithin(1));
        _net.Query(_net.OtherGroup);
        Assert.Empty(_net.ReportsWithin(1));
    }

    [Fact]
    public void Of_a_group_without_a_source_those_that_are_let_through_are_named()
    {
        var socket = _net.Joined();
        _ = _net.Change(socket, MembershipAction.BlockSource, 3);
        _ = _net.ReportsWithin(2);
        _net.Query(_net.Group, [3, 4, 5]);
        Assert.Equal(["ModeIsInclude group {4 5}"], _net.ReportsWithin(1));
    }

    [Fact]
    public void Queries_that_come_while_an_answer_waits_are_answered_together()
    {
        var socket = _net.Open();
        _ = _net.Change(socket, MembershipAction.JoinSource, 3);
        _ = _net.Change(socket, MembershipAction.JoinSource, 4);
        _ = _net.ReportsWithin(2);
        _net.Query(_net.Group, [3]);
        _net.Query(_net.Group, [4]);
        Assert.Equal(["ModeIsInclude group {3 4}"], _net.ReportsWithin(1));
        _net.Query(_net.Group, [3]);
        _net.Query(_net.Group);
        Assert.Equal(["ModeIsInclude group {3 4}"], _net.ReportsWithin(1));
        for (var i = 0; i < 1000; i++)
            _net.Query();
        Assert.Equal(["ModeIsInclude group {3 4}"], _net.ReportsWithin(1));
    }

    [Fact]
    public void A_querys_robustness_is_how_often_changes_are_reported()
    {
        _net.Query(robustness: 5);
        _net.Joined();
        Assert.Equal(5, _net.ReportsWithin(10).Count(report => report == "ChangeToExclude group {}"));
    }

    [Fact]
    public void With_an_older_querier_its_version_is_spoken_until_it_is_gone()
    {
        _net.QueryOlder();
        var socket = _net.Joined();
        var report = $"report {_net.Group} to {_net.Group}";
        Assert.Equal([report], _net.Reports());
        Assert.Equal([report], _net.ReportsWithin(10));
        _net.QueryOlder();
        Assert.Equal([report], _net.ReportsWithin(1));
        _net.QueryOlder(_net.OtherGroup);
        Assert.Empty(_net.ReportsWithin(1));
        _net.QueryOlder(_net.Group);
        Assert.Equal([report], _net.ReportsWithin(1));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Leave));
        Assert.Equal([$"leave {_net.Group} to {IpAddress.Parse(isV6 ? "ff02::2" : "224.0.0.2")}"], _net.ReportsWithin(10));

        // RFC 3376, 8.12: twice 125 s and the time of one answer.
        Assert.Empty(_net.ReportsWithin(260));
        Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Join));
        Assert.Equal(["ChangeToExclude group {}"], _net.Reports());
    }

    [Fact]
    public void Another_hosts_report_of_the_older_version_is_enough()
    {
        _net.QueryOlder();
        _net.Joined();
        _ = _net.ReportsWithin(10);
        _net.QueryOlder();
        _net.ReportOlder(_net.Group);
        Assert.Empty(_net.ReportsWithin(2));
        _net.QueryOlder();
        _net.ReportOlder(_net.OtherGroup);
        Assert.Single(_net.ReportsWithin(2));
    }

    [Fact]
    public void With_the_current_version_every_host_reports()
    {
        _net.Joined();
        _ = _net.ReportsWithin(2);
        _net.Query();
        _net.ReportOlder(_net.Group);
        Assert.Equal(["ModeIsExclude group {}"], _net.ReportsWithin(1));
    }

    /// <summary>What no router of the link sends.</summary>
    public static TheoryData<string> Forgeries => ["checksum", "hop limit", "short", "shorter than its sources", "about no group", "about a host"];

    [Theory]
    [MemberData(nameof(Forgeries))]
    public void A_query_that_no_router_sends_is_counted_and_not_answered(string what)
    {
        _net.Joined();
        _ = _net.ReportsWithin(2);
        var good = _net.QueryBytes(default, null, 2);
        switch (what)
        {
            case "checksum":
                _net.Send(good, default, spoilt: true);
                break;
            case "hop limit":
                _net.Send(good, default, hopLimit: 64);
                break;
            case "short":
                _net.Send(good[..^1], default);
                break;
            case "shorter than its sources":
                _net.Send(_net.QueryBytes(_net.Group, [3, 4], 2)[..^1], _net.Group);
                break;
            case "about no group":
                _net.Send(_net.QueryBytes(_net.SourceAt(3), null, 2), default);
                break;
            default:
                _net.Send(_net.QueryBytes(_net.Own, null, 2), default);
                break;
        }

        Assert.Empty(_net.ReportsWithin(20));
        Assert.Equal((0, 1), (_net.Harness.Counters.MulticastInQueries, _net.Harness.Counters.MulticastInMalformed + _net.Harness.Counters.IcmpInCsumErrors));
    }

    [Fact]
    public void A_querys_many_sources_cost_no_more_memory_than_the_whole_filter()
    {
        var socket = _net.Open();
        _ = _net.Change(socket, MembershipAction.JoinSource, 3);
        _ = _net.ReportsWithin(2);
        // Twice as many as fit one query of a real router.
        for (var i = 0; i < 8; i++)
            _net.Query(_net.Group, [.. Enumerable.Range(10 + 30 * i, isV6 ? 60 : 200)]);
        Assert.Equal(["ModeIsInclude group {3}"], _net.ReportsWithin(1));
    }

    [Fact]
    public void A_wire_that_comes_up_again_learns_of_all_groups()
    {
        _net.Joined();
        _ = _net.ReportsWithin(2);
        var wire = _net.Stack.Interfaces[0];
        wire.WireDown();
        foreach (var address in wire.Addresses.ToArray())
            _net.Stack.RemoveAddress(address.Address, _net.Harness.Now);
        wire.Announce(_net.Harness.Now);
        Assert.Equal(["ChangeToExclude group {}", "ChangeToExclude group {}"], _net.ReportsWithin(2));
    }

    [Fact]
    public void Groups_of_every_host_and_of_one_host_are_not_reported()
    {
        var socket = _net.Open();
        foreach (var group in isV6 ? ["ff02::1", "ff01::5"] : (string[])["224.0.0.1"])
            Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Join, group: IpAddress.Parse(group)));
        Assert.Empty(_net.ReportsWithin(2));
        _net.Query();
        Assert.Empty(_net.ReportsWithin(2));
    }

    [Fact]
    public void Reports_of_many_groups_fit_their_packets()
    {
        for (var i = 0; i < 30; i++)
        {
            var socket = _net.Open();
            for (var j = 0; j < 20; j++)
                Assert.Equal(StackError.None, _net.Change(socket, MembershipAction.Join, group: IpAddress.Parse(isV6 ? $"ff15::{i:x}:{j:x}" : $"239.3.{i}.{j}")));
        }

        _ = _net.ReportsWithin(2);
        _net.Query();
        _net.Harness.Advance(TimeSpan.FromSeconds(1));
        var frames = _net.Harness.Frames();
        Assert.InRange(frames.Count, 2, 12);
        Assert.All(frames, frame => Assert.InRange(frame.Length, 100, 1514));
    }

    [Fact]
    public void An_interface_that_goes_takes_its_memberships_along()
    {
        var socket = _net.Joined();
        _ = _net.ReportsWithin(2);
        Assert.NotNull(_net.Stack.AddInterface(new() { HardwareAddress = new(0x02_00_00_00_00_07) }));
        var removed = _net.Stack.Interfaces[0];
        Assert.True(_net.Stack.RemoveInterface(removed, _net.Harness.Now));
        removed.DropFrames();
        Assert.Empty(socket.Memberships);
        Assert.Equal(StackError.NoSuchDevice, _net.Change(socket, MembershipAction.Join));
        _net.Harness.Advance(TimeSpan.FromSeconds(10));
    }
}

public sealed class IgmpSpec() : GroupReportsSpec(isV6: false)
{
    [Fact]
    public void An_IGMPv1_querier_gets_its_reports_and_no_leaves()
    {
        using var net = new GroupNetwork(isV6: false);
        net.QueryOlder(oldest: true);
        var socket = net.Joined();
        Assert.Equal(["oldest report 239.1.2.3 to 239.1.2.3"], net.Reports());
        _ = net.ReportsWithin(10);
        net.QueryOlder(oldest: true);
        Assert.Equal(["oldest report 239.1.2.3 to 239.1.2.3"], net.ReportsWithin(10));
        socket.Close();
        Assert.Empty(net.ReportsWithin(10));
    }

    [Fact]
    public void A_switch_without_an_address_is_answered_and_a_general_query_to_this_host_alone_is_not()
    {
        using var net = new GroupNetwork(isV6: false);
        net.Joined();
        _ = net.ReportsWithin(2);
        net.Send(net.QueryBytes(default, null, 2), default, from: IpAddress.AnyV4);
        Assert.Single(net.ReportsWithin(1));
        net.Send(net.QueryBytes(default, null, 2), net.Own);
        Assert.Empty(net.ReportsWithin(1));
        Assert.Equal((1, 1), (net.Harness.Counters.MulticastInQueries, net.Harness.Counters.MulticastInMalformed));
    }

    [Fact]
    public void A_report_byte_by_byte()
    {
        using var net = new GroupNetwork(isV6: false);
        var socket = net.Joined();
        _ = net.Change(socket, MembershipAction.BlockSource, 3);
        Assert.Equal(
            "01005e000016" + "020000000001" + "0800" + "46c0002c000040000102" + "f9f4" + "0a000001" + "e0000016" + "94040000" + "2200" + "def5" + "00000001" + "04000001" + "ef010203" + "0a000003",
            Convert.ToHexStringLower(net.Harness.Single()));
    }
}

public sealed class MldSpec() : GroupReportsSpec(isV6: true)
{
    [Theory]
    [InlineData("fd00::9", true)]
    [InlineData("fe80::9", false)]
    public void Only_a_link_local_router_with_a_router_alert_is_answered(string source, bool alert)
    {
        using var net = new GroupNetwork(isV6: true);
        net.Joined();
        _ = net.ReportsWithin(2);
        net.Send(net.QueryBytes(default, null, 2), default, from: IpAddress.Parse(source), alert: alert);
        Assert.Empty(net.ReportsWithin(1));
        Assert.Equal(1, net.Harness.Counters.MulticastInMalformed);
    }

    [Fact]
    public void Reports_come_from_the_link_local_address()
    {
        using var net = new GroupNetwork(isV6: true);
        net.Joined();
        Assert.Equal(IpAddress.Parse("fe80::ff:fe00:1"), IpAddress.FromBytes(net.Harness.Single().AsSpan(22, 16)));
    }
}
