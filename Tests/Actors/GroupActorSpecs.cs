using System.Buffers.Binary;
using System.Text;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Applications join groups by the options of Linux in all their forms, before and after they bind.</summary>
public sealed class GroupActorSpecs : DriverSetup
{
    private const ushort Port = 5000;
    private const int Ip = LinkOption.IpProtoIp;

    private static readonly IpAddress Group = IpAddress.Parse("239.1.2.3");
    private static readonly byte[] GroupBytes = [239, 1, 2, 3];
    private static readonly BufferPool PeerPool = new();

    private static byte[] Mreq => [.. GroupBytes, 0, 0, 0, 0];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_socket_that_joins_before_or_after_it_is_bound_gets_the_groups_datagrams_until_it_leaves(bool before)
    {
        using var app = Open(LinkSocketType.Datagram);
        if (before)
            Assert.Equal(0, Set(app, LinkOption.IpAddMembership, Mreq));
        Bind(app);
        if (!before)
            Assert.Equal(0, Set(app, LinkOption.IpAddMembership, Mreq));
        Assert.Equal((int)StackError.AddressInUse, Set(app, LinkOption.IpAddMembership, Mreq));
        SendToGroup("one");
        Assert.Equal("one", Read(app));
        Assert.Equal(0, Set(app, LinkOption.IpDropMembership, Mreq));
        Assert.Equal((int)StackError.AddressNotAvailable, Set(app, LinkOption.IpDropMembership, Mreq));
        SendToGroup("two");
        Assert.Null(Read(app));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Errors_are_Linuxs(bool bound)
    {
        using var app = Open(LinkSocketType.Datagram);
        if (bound)
            Bind(app);
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpAddMembership, [10, 0, 0, 1, 0, 0, 0, 0]));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpAddMembership, GroupBytes));
        Assert.Equal((int)StackError.NoSuchDevice, Set(app, LinkOption.IpAddMembership, [.. GroupBytes, 10, 9, 9, 9]));
        Assert.Equal((int)StackError.NoSuchDevice, Set(app, LinkOption.IpAddMembership, [.. Mreq, 77, 0, 0, 0]));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.IpBlockSource, [.. GroupBytes, 0, 0, 0, 0, 10, 0, 0, 9]));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.McastJoinGroup, new byte[135]));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.McastJoinGroup, GroupRequest(family: 10)));
        Assert.Equal((int)StackError.AddressNotAvailable, Set(app, LinkOption.McastJoinSourceGroup, GroupRequest(family: 10, source: 1)));
        Assert.Equal((int)StackError.NoBufferSpace, Set(app, LinkOption.IpMsFilter, [.. GroupBytes, 0, 0, 0, 0, 1, 0, 0, 0, 11, 0, 0, 0, .. new byte[44]]));
        for (byte i = 0; i < 20; i++)
            Assert.Equal(0, Set(app, LinkOption.IpAddMembership, [239, 7, 7, i, 0, 0, 0, 0]));
        Assert.Equal((int)StackError.NoBufferSpace, Set(app, LinkOption.IpAddMembership, Mreq));
        Assert.Equal((int)StackError.NoSuchOption, Ask(new GetOptionRequest(1, app.Handle, Ip, LinkOption.IpAddMembership, 8)).Error);
    }

    /// <summary>Each lets the peer through, and is undone by the second.</summary>
    public static TheoryData<int, int> Sources => new()
    {
        { LinkOption.IpAddSourceMembership, LinkOption.IpDropSourceMembership },
        { LinkOption.McastJoinSourceGroup, LinkOption.McastLeaveSourceGroup },
        { LinkOption.McastUnblockSource, LinkOption.McastBlockSource },
        { LinkOption.IpUnblockSource, LinkOption.IpBlockSource },
    };

    [Theory]
    [MemberData(nameof(Sources))]
    public void A_source_is_let_through_and_no_more(int wanted, int unwanted)
    {
        using var app = Open(LinkSocketType.Datagram);
        Bind(app);
        if (wanted is LinkOption.McastUnblockSource or LinkOption.IpUnblockSource)
        {
            Assert.Equal(0, Set(app, LinkOption.McastJoinGroup, GroupRequest()));
            Assert.Equal(0, Set(app, unwanted, SourceRequest(unwanted)));
            SendToGroup("blocked");
            Assert.Null(Read(app));
        }

        Assert.Equal(0, Set(app, wanted, SourceRequest(wanted)));
        SendToGroup("wanted");
        Assert.Equal("wanted", Read(app));
        Assert.Equal(0, Set(app, unwanted, SourceRequest(unwanted)));
        SendToGroup("unwanted");
        Assert.Null(Read(app));
    }

    [Fact]
    public void A_whole_filter_is_set_at_once()
    {
        using var app = Open(LinkSocketType.Datagram);
        Bind(app);
        Assert.Equal(0, Set(app, LinkOption.IpAddMembership, Mreq));
        var peer = new byte[4];
        Support.Peer.Address.CopyTo(peer);
        Assert.Equal(0, Set(app, LinkOption.IpMsFilter, [.. GroupBytes, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, .. peer]));
        SendToGroup("blocked");
        Assert.Null(Read(app));
        var compact = new byte[48];
        (compact[4], compact[8], compact[12]) = (1, 1, 2);
        GroupBytes.CopyTo(compact, 16);
        peer.CopyTo(compact, 32);
        Assert.Equal(0, Set(app, LinkOption.LinkGroupFilter, compact, LinkOption.Link));
        SendToGroup("wanted");
        Assert.Equal("wanted", Read(app));
        Assert.Equal((int)StackError.InvalidArgument, Set(app, LinkOption.LinkGroupFilter, compact[..40], LinkOption.Link));
    }

    [Fact]
    public void The_interface_for_groups_is_read_as_it_was_set()
    {
        using var app = Open(LinkSocketType.Datagram);
        var own = new byte[4];
        Address.CopyTo(own);
        for (var round = 0; round < 2; round++)
        {
            Assert.Equal(0, Set(app, LinkOption.IpMulticastIf, own));
            Assert.Equal(own, Ask(new GetOptionRequest(1, app.Handle, Ip, LinkOption.IpMulticastIf, 4)).Body.ToArray());
            Assert.Equal((int)StackError.AddressNotAvailable, Set(app, LinkOption.IpMulticastIf, [10, 9, 9, 9]));
            Assert.Equal(own, Ask(new GetOptionRequest(1, app.Handle, Ip, LinkOption.IpMulticastIf, 4)).Body.ToArray());
            Assert.Equal(0, Set(app, LinkOption.IpMulticastIf, [0, 0, 0, 0, 0, 0, 0, 0, (byte)LinkInterface.IndexOf(0), 0, 0, 0]));
            Assert.Equal(0, Set(app, LinkOption.IpMulticastIf, new byte[4]));
            Assert.Equal(new byte[4], Ask(new GetOptionRequest(1, app.Handle, Ip, LinkOption.IpMulticastIf, 4)).Body.ToArray());
            Bind(app);
        }
    }

    [Fact]
    public void What_an_application_sends_reaches_others_of_its_host_unless_it_says_otherwise()
    {
        using var receiver = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Set(receiver, LinkOption.IpAddMembership, Mreq));
        Bind(receiver);
        using var sender = Open(LinkSocketType.Datagram);
        Assert.Equal(0, Set(sender, LinkOption.IpMulticastTtl, [0]));
        Send(sender, "loop");
        Assert.Equal("loop", Read(receiver));
        Assert.Equal(0, Set(sender, LinkOption.IpMulticastLoop, [0]));
        Send(sender, "no loop");
        Assert.Null(Read(receiver));
        Assert.Equal(0, BinaryPrimitives.ReadInt32LittleEndian(Ask(new GetOptionRequest(1, sender.Handle, Ip, LinkOption.IpMulticastLoop, 4)).Body.Span));
    }

    [Fact]
    public void A_socket_closed_leaves_its_groups()
    {
        using (var app = Open(LinkSocketType.Datagram))
        {
            Assert.Equal(0, Set(app, LinkOption.IpAddMembership, Mreq));
            Bind(app);
            SendToGroup("one");
            Assert.Equal("one", Read(app));
        }

        Run();
        using var other = Open(LinkSocketType.Datagram);
        Bind(other);
        SendToGroup("two");
        Assert.Null(Read(other));
    }

    [Fact]
    public void Streams_are_in_no_groups()
    {
        using var stream = Open(LinkSocketType.Stream);
        Assert.Equal((int)StackError.ProtocolError, Set(stream, LinkOption.IpAddMembership, Mreq));
        Assert.Equal((int)StackError.NoSuchOption, Set(stream, LinkOption.LinkGroupFilter, new byte[48], LinkOption.Link));
    }

    private static byte[] GroupRequest(byte family = 2, int? source = null)
    {
        var request = new byte[source is null ? 136 : 264];
        request[8] = family;
        GroupBytes.CopyTo(request, 12);
        if (source is null)
            return request;
        request[136] = family;
        Support.Peer.Address.CopyTo(request.AsSpan(140));
        return request;
    }

    private static byte[] SourceRequest(int name)
    {
        if (name >= LinkOption.McastJoinGroup)
            return GroupRequest(source: 1);
        var request = new byte[12];
        GroupBytes.CopyTo(request, 0);
        Support.Peer.Address.CopyTo(request.AsSpan(8));
        return request;
    }

    private int Set(App app, int name, byte[] value, int level = Ip) => Ask(new SetOptionRequest(1, app.Handle, level, name, value)).Error;

    private void Bind(App app) => Ask(new BindRequest(1, app.Handle, Sockaddr.From(new IpEndpoint(IpAddress.AnyV4, Port))));

    private void SendToGroup(string text)
    {
        Run(); // what the driver does about the membership
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 0), new UdpSocketOptions(), out var socket));
        var payload = PeerPool.Rent(text.Length, BufferPool.HeaderRoom);
        Encoding.ASCII.GetBytes(text, payload.Append(text.Length));
        Assert.Equal(StackError.None, socket!.Send(payload, new IpEndpoint(Group, Port), Peer.Now));
        Run();
        socket.Close();
    }

    private void Send(App app, string text)
    {
        var message = new byte[DatagramHeader.Size + text.Length];
        Sockaddr.From(new IpEndpoint(Group, Port)).WriteTo(message);
        Encoding.ASCII.GetBytes(text, message.AsSpan(DatagramHeader.Size));
        Assert.Equal(message.Length, app.TryWrite(message));
        Run();
    }

    private static string? Read(App app) => app.ReadMessage() is { } message ? Encoding.ASCII.GetString(message[DatagramHeader.Size..]) : null;
}
