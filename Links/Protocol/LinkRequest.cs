using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>The type of an application's socket, with Linux's numbers.</summary>
public enum LinkSocketType : ushort
{
    /// <summary>SOCK_STREAM.</summary>
    Stream = 1,

    /// <summary>SOCK_DGRAM.</summary>
    Datagram = 2,
}

/// <summary>A direction of a connection, as in shutdown(2).</summary>
public enum ShutdownHow
{
    Receive = 0,
    Send = 1,
    Both = 2,
}

/// <summary>
/// A request of an application over a control connection. It is answered exactly once: with a success, which a method of the request makes, or with
/// <see cref="Failed(StackError)"/>. Answers may come in any order. That to <see cref="LinkMessageType.PostOption"/> is not sent.
/// </summary>
/// <param name="Type">What is asked.</param>
/// <param name="Id">Chosen by the client; the answer carries it.</param>
public abstract record LinkRequest(LinkMessageType Type, uint Id)
{
    /// <summary>The descriptor that has come with the request; null: none. It is to be taken, or disposed.</summary>
    public virtual PassedDescriptor? Passed => null;

    public LinkAnswer Failed(StackError error) => Failed((int)error);

    /// <param name="errno">A Linux errno, not 0.</param>
    public LinkAnswer Failed(int errno) => new(Type, Id, errno, default);

    /// <summary>The answer of a request that returns nothing.</summary>
    protected LinkAnswer Succeeded() => new(Type, Id, 0, default);

    /// <summary>The answer of a request that returns an address.</summary>
    protected LinkAnswer Succeeded(Sockaddr address)
    {
        var body = new byte[LinkAnswer.AddressBodySize];
        address.WriteTo(body);
        return new(Type, Id, 0, body);
    }
}

/// <summary>
/// Asks for another control connection, whose descriptor comes with the answer. For a process that is about to fork a child, and whose user cannot connect by
/// the path any more.
/// </summary>
public sealed record SessionRequest(uint Id) : LinkRequest(LinkMessageType.Session, Id)
{
    public LinkAnswer Opened() => Succeeded();
}

/// <summary>A request about one socket, which is named by the SO_COOKIE of the application's end of its pair.</summary>
public abstract record LinkSocketRequest(LinkMessageType Type, uint Id, ulong Handle) : LinkRequest(Type, Id);

/// <summary>Makes a socket. Answered with its handle and the application's descriptor.</summary>
/// <param name="Protocol">IPPROTO_TCP, IPPROTO_UDP or 0.</param>
public sealed record SocketRequest(uint Id, SocketFamily Family, LinkSocketType SocketType, int Protocol)
    : LinkRequest(LinkMessageType.Socket, Id)
{
    /// <summary>The success, to be sent together with the descriptor that has this handle.</summary>
    public LinkAnswer Created(ulong handle) => new(Type, Id, 0, BitConverter.GetBytes(handle));
}

/// <summary>
/// Connects: TCP is answered after the handshake or its failure, UDP at once. The address family Unspecified dissolves a UDP socket's association.
/// </summary>
/// <param name="Discard">Bytes that the client has written to the descriptor so that it is not writable while connecting. The driver discards them once the socket is
/// connected.</param>
/// <param name="NoWait">Answered with EINPROGRESS at once, or with an error that is known at once. Then the descriptor tells the outcome: writable means
/// connected; on failure the pair is reset, and the driver answers SO_ERROR with the reason. With Fast Open and a cookie the answer is success, as under Linux:
/// the data goes with the SYN.</param>
/// <param name="AwaitHandshake">Connects nothing. Waits for the handshake of a connection that is under way, or that may be written before it is done (Fast Open): answered
/// with EISCONN when it is done, or with its error.</param>
public sealed record ConnectRequest(uint Id, ulong Handle, Sockaddr Remote, uint Discard, bool NoWait, bool AwaitHandshake = false)
    : LinkSocketRequest(LinkMessageType.Connect, Id, Handle)
{
    public LinkAnswer Connected(Sockaddr local) => Succeeded(local);

    /// <summary>The answer to a request with <see cref="NoWait"/> whose handshake has begun.</summary>
    public LinkAnswer InProgress() => Failed(LinkErrno.InProgress);
}

/// <summary>Gives a socket its local address. Port 0 lets the driver choose.</summary>
public sealed record BindRequest(uint Id, ulong Handle, Sockaddr Local) : LinkSocketRequest(LinkMessageType.Bind, Id, Handle)
{
    public LinkAnswer Bound(Sockaddr local) => Succeeded(local);
}

/// <summary>
/// Makes a stream socket accept connections, each of which arrives as an <see cref="AcceptRecord"/> with a descriptor on the socket's own descriptor.
/// Sent again, it changes the backlog.
/// </summary>
public sealed record ListenRequest(uint Id, ulong Handle, int Backlog) : LinkSocketRequest(LinkMessageType.Listen, Id, Handle)
{
    public LinkAnswer Listening(Sockaddr local) => Succeeded(local);
}

public sealed record GetSockNameRequest(uint Id, ulong Handle) : LinkSocketRequest(LinkMessageType.GetSockName, Id, Handle)
{
    public LinkAnswer Named(Sockaddr local) => Succeeded(local);
}

public sealed record GetPeerNameRequest(uint Id, ulong Handle) : LinkSocketRequest(LinkMessageType.GetPeerName, Id, Handle)
{
    public LinkAnswer Named(Sockaddr remote) => Succeeded(remote);
}

/// <summary>
/// shutdown(2) for a datagram socket or a listener, whose descriptor cannot express it. On a stream's descriptor the native call is enough, and in order with
/// the data.
/// </summary>
public sealed record ShutdownRequest(uint Id, ulong Handle, ShutdownHow How) : LinkSocketRequest(LinkMessageType.Shutdown, Id, Handle)
{
    public LinkAnswer Done() => Succeeded();
}

/// <summary>
/// Ends a socket as closing its last descriptor does, and is answered when the port is free. For a client that must know when; otherwise closing the descriptor
/// is enough.
/// </summary>
public sealed record CloseRequest(uint Id, ulong Handle) : LinkSocketRequest(LinkMessageType.Close, Id, Handle)
{
    public LinkAnswer Done() => Succeeded();
}

/// <summary>setsockopt(2), with Linux's numbers and value layouts.</summary>
/// <param name="IsPosted">The client does not wait: the answer stays with the driver.</param>
public sealed record SetOptionRequest(uint Id, ulong Handle, int Level, int Name, ReadOnlyMemory<byte> Value, bool IsPosted = false)
    : LinkSocketRequest(IsPosted ? LinkMessageType.PostOption : LinkMessageType.SetOption, Id, Handle)
{
    public LinkAnswer Done() => Succeeded();
}

/// <summary>getsockopt(2), with Linux's numbers and value layouts. SO_ERROR is returned once and then cleared.</summary>
/// <param name="MaxLength">Room that the client has for the value; the answer is cut to it.</param>
public sealed record GetOptionRequest(uint Id, ulong Handle, int Level, int Name, int MaxLength)
    : LinkSocketRequest(LinkMessageType.GetOption, Id, Handle)
{
    public LinkAnswer Value(ReadOnlySpan<byte> value) => new(Type, Id, 0, value[..Math.Min(value.Length, MaxLength)].ToArray());

    /// <summary>A number. As in Linux, an option of IP is also read as one byte, where it fits and there is no room for more.</summary>
    public LinkAnswer Value(int value) =>
        Level == LinkOption.IpProtoIp && MaxLength is > 0 and < sizeof(int) && value is >= 0 and <= byte.MaxValue ? Value([(byte)value]) : Value(BitConverter.GetBytes(value));
}

/// <summary>Asks how long the packets of a datagram socket may be on their way to a destination.</summary>
/// <param name="Destination">Family Unspecified: the connected peer.</param>
public sealed record PathRequest(uint Id, ulong Handle, Sockaddr Destination) : LinkSocketRequest(LinkMessageType.Path, Id, Handle)
{
    /// <summary>Bytes by which an IPv6 header is longer than an IPv4 header.</summary>
    private const int LongerHeader = 20;

    /// <summary>Bytes of a UDP header, which a client reckons with.</summary>
    private const int UdpHeader = 8;

    /// <param name="mtu">The largest packet to the destination, in bytes.</param>
    /// <param name="least">The largest packet that goes to any destination, as far as is known.</param>
    /// <param name="reportsErrors">The socket has IP_RECVERR.</param>
    /// <param name="segment">UDP_SEGMENT, 0..65535; 0: payloads are not cut. Otherwise a client that does not look at the MTU beside it takes any length for possible.</param>
    /// <param name="fragments">Any length is possible that a packet of the family can have, but for a segment: it has to fit the MTU, which goes beside.</param>
    /// <param name="isV6">The packets are IPv6's. A client reckons with the headers of IPv4, so that it is told of less room by what IPv6's are longer.</param>
    /// <param name="isEcho">The payloads are echo messages, without a UDP header in front of them: there is so much more room.</param>
    public LinkAnswer Found(int mtu, int least, bool reportsErrors, int segment, bool fragments, bool isV6, bool isEcho = false)
    {
        // The longest packet. The length field of IPv6 does not count its header, so that of those 20 bytes more there are none less for the payload, and 20 more.
        var longest = ushort.MaxValue + (isV6 ? LongerHeader : 0) + (isEcho ? UdpHeader : 0);
        if (isEcho)
            mtu += UdpHeader;
        if (isV6)
            mtu = Math.Max(mtu - LongerHeader, 0);
        var body = new byte[4 * sizeof(int)];
        BitConverter.TryWriteBytes(body, segment != 0 ? ushort.MaxValue : fragments ? longest : mtu);
        BitConverter.TryWriteBytes(body.AsSpan(sizeof(int)), least);
        BitConverter.TryWriteBytes(body.AsSpan(2 * sizeof(int)), (reportsErrors ? 1 : 0) | (isV6 ? 2 : 0) | (isEcho ? 4 : 0));
        BitConverter.TryWriteBytes(body.AsSpan(3 * sizeof(int)), (ushort)segment);
        BitConverter.TryWriteBytes(body.AsSpan(3 * sizeof(int) + sizeof(ushort)), (ushort)Math.Min(mtu, ushort.MaxValue));
        return new(Type, Id, 0, body);
    }
}

/// <summary>Sends one ICMP echo request. ETIMEDOUT if no reply comes in time; an ICMP error is answered as the error it means.</summary>
/// <param name="Size">Payload in bytes, 0 to <see cref="MostBytes"/>; EMSGSIZE to an IPv4 address above 65,507.</param>
/// <param name="TimeoutMilliseconds">1 to 60,000.</param>
public sealed record PingRequest(uint Id, Sockaddr Destination, ushort Sequence, int Size, int TimeoutMilliseconds)
    : LinkRequest(LinkMessageType.Ping, Id)
{
    /// <summary>The largest payload: 65,535 bytes, which is the most that an IPv6 packet holds behind its header, less the ICMP header.</summary>
    public const int MostBytes = 65_527;

    /// <param name="hopLimit">As received in the reply; 0 if not known.</param>
    public LinkAnswer Replied(TimeSpan roundTrip, Sockaddr from, byte hopLimit)
    {
        var body = new byte[PingReply.Size];
        new PingReply(roundTrip, from, hopLimit).WriteTo(body);
        return new(Type, Id, 0, body);
    }
}

/// <summary>Asks for the driver's state and counters as JSON.</summary>
/// <param name="FiguresOnly">Without its sockets: <see cref="ListSocketsRequest"/> has them, and their owners.</param>
public sealed record StatusRequest(uint Id, bool FiguresOnly = false) : LinkRequest(FiguresOnly ? LinkMessageType.Figures : LinkMessageType.Status, Id)
{
    /// <exception cref="ArgumentException">Longer than <see cref="LinkProtocol.MaxAnswer"/> allows.</exception>
    public LinkAnswer Status(string json)
    {
        var body = System.Text.Encoding.UTF8.GetBytes(json);
        if (body.Length > LinkProtocol.MaxAnswer - LinkProtocol.HeaderSize)
            throw new ArgumentException($"A status of {body.Length} bytes does not fit an answer.", nameof(json));
        return new(Type, Id, 0, body);
    }
}

/// <summary>Gives the stack an address.</summary>
public sealed record AddAddressRequest(uint Id, IpAddress Address, int PrefixLength) : LinkRequest(LinkMessageType.AddAddress, Id)
{
    public LinkAnswer Done() => Succeeded();
}

/// <summary>
/// Hands the driver a TUN device of another network namespace, whose whole traffic goes by the driver's sockets from then on, until the session ends or the device fails. The
/// device comes as a descriptor with the frame: attached, with IFF_VNET_HDR and IFF_NO_PI.
/// </summary>
/// <remarks>With addresses of both families it is a request of its own, AddDualStackGuest, so that a driver of an earlier version refuses it, and does not leave IPv6 out unsaid.</remarks>
/// <param name="Addresses">Those that the namespace's end of the device has.</param>
/// <param name="Mtu">The MTU of the device, 68 to 65,535, with an IPv6 address from 1,280; any other number is refused.</param>
public sealed record AddGuestRequest(uint Id, GuestAddresses Addresses, int Mtu)
    : LinkRequest(Addresses.All.Count > 1 ? LinkMessageType.AddDualStackGuest : LinkMessageType.AddGuest, Id)
{
    /// <summary>The device; null if none has come. Whoever handles the request disposes it, or takes it.</summary>
    public PassedDescriptor? Device { get; init; }

    public override PassedDescriptor? Passed => Device;

    public LinkAnswer Done() => Succeeded();

    /// <param name="errno">A Linux errno, not 0.</param>
    /// <param name="reason">In a sentence, for the client's user.</param>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);
}

/// <summary>Has a port of the driver's lead to the guest that this session has added last, until that ends. The guest sees the peers' own addresses.</summary>
/// <param name="Listen">An address of the driver's, or the wildcard, and a port other than 0.</param>
/// <param name="Protocol">IPPROTO_TCP (6) or IPPROTO_UDP (17).</param>
/// <param name="Port">The guest's port, not 0.</param>
public sealed record PublishRequest(uint Id, IpEndpoint Listen, int Protocol, ushort Port) : LinkRequest(LinkMessageType.Publish, Id)
{
    public LinkAnswer Done() => Succeeded();

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);
}

/// <summary>Takes an address from the stack; connections from it end with ECONNABORTED.</summary>
public sealed record RemoveAddressRequest(uint Id, IpAddress Address) : LinkRequest(LinkMessageType.RemoveAddress, Id)
{
    public LinkAnswer Done() => Succeeded();
}

/// <summary>Asks for the driver's interfaces and their addresses, as many as fit an answer of <see cref="LinkInterface.MostInAnswer"/>.</summary>
/// <param name="From">The number of the first entry.</param>
public sealed record ListInterfacesRequest(uint Id, int From) : LinkRequest(LinkMessageType.ListInterfaces, Id)
{
    /// <param name="all">All entries, also those that the client does not ask for.</param>
    public LinkAnswer Listed(IReadOnlyList<LinkInterface> all) => new(Type, Id, 0, LinkInterface.Write(all, From));
}
