using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>A whole driver that serves the stations of its wire, in virtual time. The peer's stack is a station that has an address; others are frames.</summary>
public sealed class DhcpServerActorSpecs : DriverSetup
{
    private static readonly MacAddress Station = MacAddress.Parse("02:00:00:00:00:09");

    private readonly List<byte[]> _replies = [];
    private readonly BufferPool _pool = new();

    public DhcpServerActorSpecs()
        : base("""
            serve-dhcp = on
            dhcp-server.lease-time = 10m
            dns { hosts-file = "", search = ["example"], hosts { "own.example" = ["192.0.2.50", "2001:db8::50"] } }
            """)
    {
        Peer.Loses = frame =>
        {
            if (!IsReply(frame))
                return false;
            _replies.Add(frame);
            return true;
        };
    }

    [Fact]
    public void A_station_gets_an_address_that_the_status_shows_until_it_is_over()
    {
        var offer = Ask(DhcpMessageType.Discover, null);
        Assert.Equal(Station, MacAddress.FromBytes(offer));
        var address = IpAddress.FromBytes(offer.AsSpan(42 + 16, 4));
        Assert.True(new IpPrefix(Address, 24).Contains(address) && address != Address && address != Support.Peer.Address);
        Ask(DhcpMessageType.Request, address);
        var only = Assert.Single(Status().Served!.Leases);
        Assert.Equal((address, "02:00:00:00:00:09", "box"), (only.Address, only.HardwareAddress, only.Name));
        Assert.InRange(only.Expires.TotalSeconds, 500, 600);
        Advance(TimeSpan.FromMinutes(9));
        Assert.Single(Status().Served!.Leases);
        Advance(TimeSpan.FromMinutes(2));
        Assert.Empty(Status().Served!.Leases);
        Assert.Equal((2, 2), (Status().Served!.Received, Status().Served!.Sent));
    }

    [Fact]
    public void Names_are_looked_up_by_UDP_as_the_driver_does()
    {
        Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 4000), new UdpSocketOptions(), out var socket));
        Assert.Equal("192.0.2.50", Question(socket!, "own.example", DnsType.A).Answers.Single().Address.ToString());
        Assert.Equal("2001:db8::50", Question(socket!, "own.example", DnsType.Aaaa).Answers.Single().Address.ToString());
        Assert.Equal("own.example", Question(socket!, "50.2.0.192.in-addr.arpa", DnsType.Pointer).Answers.Single().Target!.ToString().TrimEnd('.'));
        Assert.Equal(DnsResponseCode.NotImplemented, Question(socket!, "own.example", DnsType.Text).Code);
        Assert.Equal(DnsResponseCode.NoSuchName, Question(socket!, "nobody.invalid", DnsType.A).Code);
        Assert.Equal(DnsResponseCode.NoSuchName, Question(socket!, "x.in-addr.arpa", DnsType.Pointer).Code);
        socket!.Close();
    }

    [Fact]
    public void Several_questions_on_one_connection_are_answered_in_order()
    {
        var stream = Peer.Connect(53);
        byte[] both = [.. Framed(Query("own.example", DnsType.A)), .. Framed(Query("own.example", DnsType.Aaaa))];
        Run();
        foreach (var part in both.Chunk(7))
        {
            Peer.Send(stream, part);
            Run();
        }

        RunUntil(() => Peer.ReceivedCount(stream) > 90);
        var bytes = Peer.Received(stream);
        var first = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        Assert.True(DnsMessage.TryParse(bytes.AsSpan(2, first), out var a));
        Assert.True(DnsMessage.TryParse(bytes.AsSpan(4 + first), out var aaaa));
        Assert.Equal(("192.0.2.50", "2001:db8::50"), (a.Answers.Single().Address.ToString(), aaaa.Answers.Single().Address.ToString()));
        stream.Close(Peer.Now);
        RunUntil(() => Peer.EndOfStream.Contains(stream) || Peer.Ended.Contains(stream));
    }

    [Theory]
    [InlineData("FFFF0000")]
    [InlineData("0000")]
    [InlineData("000400000000")]
    public void What_is_no_question_ends_the_connection(string hex)
    {
        var stream = Peer.Connect(53);
        Run();
        Peer.Send(stream, Convert.FromHexString(hex));
        RunUntil(() => Peer.EndOfStream.Contains(stream) || Peer.Ended.Contains(stream));
        Assert.Equal(0, Peer.ReceivedCount(stream));
    }

    [Fact]
    public void Nonsense_to_its_ports_is_dropped()
    {
        Wire.Deliver(Frame([1, 2, 3]));
        Wire.Deliver(Frame(new byte[300]));
        Run();
        Assert.Empty(_replies);
        var dropped = Status().Served!.Dropped.ToDictionary();
        Assert.Equal((1, 1), (dropped["BadLength"], dropped["BadOperation"]));
    }

    private static bool IsReply(byte[] frame) => frame.Length > 42 + DhcpMessage.OptionsOffset && frame[12] == 8 && frame[13] == 0 && frame[23] == IpProtocol.Udp
        && BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(36)) == DhcpMessage.ClientPort;

    private byte[] Ask(DhcpMessageType type, IpAddress? wanted)
    {
        _replies.Clear();
        Wire.Deliver(Frame(new DhcpMessage { Type = type, Transaction = 9, Hardware = Station, HostName = "box", RequestedAddress = wanted, Server = wanted is null ? null : Address }.Emit()));
        RunUntil(() => _replies.Count > 0);
        return Assert.Single(_replies);
    }

    /// <summary>A datagram of a station without an address, to all servers.</summary>
    private static byte[] Frame(byte[] message)
    {
        var frame = new byte[42 + message.Length];
        new EthernetHeader(MacAddress.Broadcast, Station, EtherType.Ipv4).Emit(frame);
        new Ipv4Header { Source = IpAddress.AnyV4, Destination = IpAddress.BroadcastV4, Protocol = IpProtocol.Udp, HopLimit = 64, PayloadLength = (ushort)(8 + message.Length) }.Emit(frame.AsSpan(14));
        new UdpHeader(DhcpMessage.ClientPort, DhcpMessage.ServerPort, (ushort)message.Length).Emit(frame.AsSpan(34));
        message.CopyTo(frame, 42);
        return frame;
    }

    private static byte[] Query(string name, DnsType type) => DnsQuery.Write(7, DnsName.TryParse(name, out var parsed) ? parsed : throw new ArgumentException(name), type, hasOptions: true, null);

    private static byte[] Framed(byte[] query) => [(byte)(query.Length >> 8), (byte)query.Length, .. query];

    private DnsMessage Question(UdpSocket socket, string name, DnsType type)
    {
        var query = Query(name, type);
        var buffer = _pool.Rent(query.Length, BufferPool.HeaderRoom);
        query.CopyTo(buffer.Append(query.Length));
        Assert.Equal(StackError.None, socket.Send(buffer, new IpEndpoint(Address, 53), Peer.Now));
        PacketBuffer? answer = null;
        RunUntil(() => socket.TryReceive(out answer, out _));
        var isRead = DnsMessage.TryParse(answer!.Span, out var message);
        answer.Release();
        Assert.True(isRead);
        return message!;
    }

    private InterfaceStatus Status()
    {
        var asker = CreateTestProbe();
        Driver.Tell(GetStatus.Instance, asker);
        // The parts' answers come by the thread pool: the virtual time stands still meanwhile.
        Assert.True(SpinWait.SpinUntil(() =>
        {
            Run();
            return asker.HasMessages;
        }, TimeSpan.FromSeconds(30)));
        return asker.ExpectMsg<DriverStatus>().Interfaces[0];
    }
}
