using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Multicast;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Multicast;

/// <summary>Switches that listen to MLD pass on only what goes to groups that were reported: so the groups are reported that neighbours ask in for own addresses (RFC 4862, 5.4.2; RFC 3810, 6).</summary>
public sealed class SolicitedNodeSpec : IDisposable
{
    private static readonly IpAddress Group = IpAddress.Parse("ff02::1:ff00:1");

    private readonly StackHarness _h = new(address: false) { SeesOwnGroups = true };

    public void Dispose() => _h.Dispose();

    [Fact]
    public void A_report_goes_before_the_first_question_from_no_address_and_again_from_the_link_local_one()
    {
        BuildV6.Add(_h, "fd00::1/64");
        var frames = _h.Frames();
        var report = frames.FindIndex(IsReport);
        var question = frames.FindIndex(IsQuestion);
        Assert.True(report >= 0 && report < question, "The group is not reported before the question.");
        Assert.Equal((4, Group), Record(frames[report])); // CHANGE_TO_EXCLUDE {}
        Assert.Equal(IpAddress.Unspecified, SourceOf(frames[report]));

        _h.Advance(TimeSpan.FromSeconds(5));
        var later = _h.Frames().FindAll(IsReport);
        Assert.Contains(later, frame => SourceOf(frame) == StackHarness.OwnMac.LinkLocal && Record(frame) == (4, Group));
        Assert.DoesNotContain(frames.Concat(later), static frame => IsReport(frame) && Record(frame).Group == IpAddress.AllNodes);
    }

    [Fact]
    public void The_group_stays_until_its_last_address_goes()
    {
        BuildV6.Add(_h, "fd00::1/64"); // and the link-local address has the same group
        _h.Advance(TimeSpan.FromSeconds(5));
        _h.Frames();
        Assert.True(_h.Stack.RemoveAddress(IpAddress.Parse("fd00::1"), _h.Now));
        _h.Advance(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(_h.Frames(), IsReport);
        Assert.True(_h.Stack.RemoveAddress(StackHarness.OwnMac.LinkLocal, _h.Now));
        _h.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains(_h.Frames(), static frame => IsReport(frame) && Record(frame) == (3, Group)); // CHANGE_TO_INCLUDE {}
    }

    [Fact]
    public void A_wire_that_is_back_has_the_report_first()
    {
        BuildV6.Add(_h, "fd00::1/64");
        _h.Advance(TimeSpan.FromSeconds(5));
        _h.Frames();
        _h.Stack.WireUp(_h.Stack.Interfaces[0], _h.Now);
        var frames = _h.Frames();
        Assert.InRange(frames.FindIndex(IsReport), 0, frames.FindIndex(IsQuestion));
    }

    [Fact]
    public void A_socket_in_the_same_group_neither_ends_it_nor_is_ended()
    {
        BuildV6.Add(_h, "fd00::1/64");
        Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(default, 5000), new UdpSocketOptions(), out var socket));
        Assert.Equal(StackError.None, socket!.ChangeMembership(new MembershipChange(MembershipAction.Join, Group) { Interface = 0 }));
        Assert.Equal(StackError.None, socket.ChangeMembership(new MembershipChange(MembershipAction.Leave, Group) { Interface = 0 }));
        _h.Advance(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(_h.Frames(), static frame => IsReport(frame) && Record(frame).Type == 3);
        var answer = _h.Exchange(BuildV6.Solicitation(IpAddress.Parse("fd00::1")));
        Assert.Equal(Icmpv6Type.NeighborAdvertisement, BuildV6.ReadIcmp(answer).Message[0]);
    }

    [Fact]
    public void A_device_without_ethernet_has_no_such_groups()
    {
        using var h = new StackHarness(new StackOptions { Interfaces = [new() { Medium = Medium.Ip }] }, address: false) { SeesOwnGroups = true };
        BuildV6.Add(h, "fd00::1/64");
        h.Advance(TimeSpan.FromSeconds(5));
        h.Silent();
    }

    private static bool IsReport(byte[] frame) => frame[12] == 0x86 && frame[20] == 0 && frame[62] == Icmpv6Type.MulticastListenerReportV2;

    private static bool IsQuestion(byte[] frame) => frame[12] == 0x86 && frame[20] == IpProtocol.Icmpv6 && frame[54] == Icmpv6Type.NeighborSolicitation;

    private static IpAddress SourceOf(byte[] frame) => IpAddress.FromBytes(frame.AsSpan(22, 16));

    /// <summary>The only record of a report.</summary>
    private static (int Type, IpAddress Group) Record(byte[] frame)
    {
        Assert.Equal(1, frame[69]);
        return (frame[70], IpAddress.FromBytes(frame.AsSpan(74, 16)));
    }
}
