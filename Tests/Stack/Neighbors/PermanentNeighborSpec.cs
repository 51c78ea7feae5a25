using Tapwire.Stack;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Neighbors;

/// <summary>Neighbours that the stack's owner names (iproute2: nud permanent).</summary>
public sealed class PermanentNeighborSpec : IDisposable
{
    private static readonly IpAddress s_station = IpAddress.Parse("10.0.0.7");
    private static readonly MacAddress s_hardware = new(0x02_00_00_00_00_07);

    private readonly StackHarness _h = new(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.OwnMac }], Neighbors = new() { Entries = 8 } });

    public void Dispose() => _h.Dispose();

    [Fact]
    public void What_waits_goes_out_at_once_and_nobody_is_asked()
    {
        Ping();
        Assert.Equal(ArpOperation.Request, OperationOf(Assert.Single(_h.Frames())));
        Assert.Equal(StackError.None, _h.Stack.Interface.SetNeighbor(s_station, s_hardware, _h.Now));
        Assert.Equal(s_hardware, Assert.Single(_h.Frames()).DestinationMac());
        _h.Advance(TimeSpan.FromHours(9));
        _h.Frames();
        Ping();
        Assert.Equal(s_hardware, Assert.Single(_h.Frames()).DestinationMac());
        Assert.Equal(NeighborState.Permanent, Assert.Single(_h.Stack.Interface.NeighborsAt(_h.Now)).State);
    }

    [Fact]
    public void Whatever_stations_say_it_stays()
    {
        _h.Stack.Interface.SetNeighbor(s_station, s_hardware, _h.Now);
        var liar = new MacAddress(0x02_00_00_00_00_99);
        foreach (var operation in (ArpOperation[])[ArpOperation.Request, ArpOperation.Reply])
            _h.Receive(Build.Arp(new ArpPacket(operation, liar, s_station, StackHarness.OwnMac, StackHarness.OwnIp), StackHarness.OwnMac));
        _h.Frames();
        Ping();
        Assert.Equal(s_hardware, Assert.Single(_h.Frames()).DestinationMac());
        _h.Stack.Interface.FlushNeighbors();
        _h.Stack.Interface.WireDown();
        Assert.Equal([s_station], _h.Stack.Interface.NeighborsAt(_h.Now).Select(static each => each.Address));
        Assert.True(_h.Stack.Interface.ForgetNeighbor(s_station));
        Assert.False(_h.Stack.Interface.ForgetNeighbor(s_station));
        Assert.Empty(_h.Stack.Interface.NeighborsAt(_h.Now));
    }

    [Fact]
    public void Half_of_the_table_may_be_permanent_and_a_flood_of_others_pushes_none_of_them_out()
    {
        for (var i = 0; i < 4; i++)
            Assert.Equal(StackError.None, _h.Stack.Interface.SetNeighbor(IpAddress.Parse($"10.0.0.{10 + i}"), s_hardware, _h.Now));
        Assert.Equal(StackError.NoBufferSpace, _h.Stack.Interface.SetNeighbor(s_station, s_hardware, _h.Now));
        Assert.Equal(StackError.None, _h.Stack.Interface.SetNeighbor(IpAddress.Parse("10.0.0.10"), StackHarness.PeerMac, _h.Now));
        for (var i = 0; i < 100; i++)
            _h.Receive(Build.Arp(new ArpPacket(ArpOperation.Request, StackHarness.PeerMac, IpAddress.Parse($"10.0.0.{100 + i}"), default, StackHarness.OwnIp), StackHarness.OwnMac));
        _h.Frames();
        var all = _h.Stack.Interface.NeighborsAt(_h.Now);
        Assert.Equal((8, 4), (all.Count, all.Count(static each => each.State == NeighborState.Permanent)));
        _h.Stack.Interface.ForgetNeighbor(IpAddress.Parse("10.0.0.10"));
        Assert.Equal(StackError.None, _h.Stack.Interface.SetNeighbor(s_station, s_hardware, _h.Now));
    }

    [Theory]
    [InlineData("10.0.0.1")]
    [InlineData("10.0.0.255")]
    [InlineData("224.0.0.1")]
    [InlineData("0.0.0.0")]
    [InlineData("127.0.0.1")]
    public void No_other_address_than_a_stations_is_taken(string address) =>
        Assert.Equal(StackError.InvalidArgument, _h.Stack.Interface.SetNeighbor(IpAddress.Parse(address), s_hardware, _h.Now));

    [Fact]
    public void What_is_no_longer_confirmed_is_stale()
    {
        Ping();
        _h.Receive(Build.Arp(new ArpPacket(ArpOperation.Reply, s_hardware, s_station, StackHarness.OwnMac, StackHarness.OwnIp), StackHarness.OwnMac));
        Assert.Equal(NeighborState.Reachable, Assert.Single(_h.Stack.Interface.NeighborsAt(_h.Now)).State);
        Assert.Equal(NeighborState.Stale, Assert.Single(_h.Stack.Interface.NeighborsAt(_h.Now + TimeSpan.FromMinutes(2))).State);
        _h.Frames();
    }

    private void Ping()
    {
        Assert.Equal(StackError.None, _h.Stack.Icmp.Open(out var socket));
        Assert.Equal(StackError.None, socket!.Send(s_station, 1, [], _h.Now));
    }

    private static ArpOperation OperationOf(byte[] frame)
    {
        Assert.True(ArpView.TryParse(frame.AsSpan(EthernetHeader.Length), out var arp));
        return arp.Operation;
    }
}

internal static class PermanentNeighborFrames
{
    public static MacAddress DestinationMac(this byte[] frame) => MacAddress.FromBytes(frame);
}
