using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Links.Protocol;

/// <summary>Requests as frames: the driver reads them, the client library writes them.</summary>
public static class LinkRequestCodec
{
    // Offsets of fields that several requests have; docs/link-protocol.md has the tables.
    // Flags of a connect.
    private const int NoWait = 1;
    private const int AwaitHandshake = 2;

    private const int HandleAt = 16;
    private const int AfterHandle = 24;
    private const int SecondGuestAddressAt = 48;

    /// <summary>
    /// The length of the frame that begins here; 0 if its first bytes are not there yet.
    /// </summary>
    /// <exception cref="LinkProtocolException">The length is less than a header or more than <paramref name="limit"/>.</exception>
    public static int FrameLength(ReadOnlySpan<byte> bytes, int limit)
    {
        if (bytes.Length < sizeof(uint))
            return 0;
        var length = ReadUInt32LittleEndian(bytes);
        if (length < LinkProtocol.HeaderSize || length > (uint)limit)
            throw new LinkProtocolException($"A frame of {length} bytes; {LinkProtocol.HeaderSize} to {limit} are allowed.");
        return (int)length;
    }

    /// <summary>Reads a whole frame whose length <see cref="FrameLength"/> has checked.</summary>
    /// <param name="refusal">With null: the answer to a well-formed request that is not known here.</param>
    /// <exception cref="LinkProtocolException">The frame is malformed.</exception>
    public static LinkRequest? Read(ReadOnlySpan<byte> frame, out LinkAnswer? refusal)
    {
        var type = (LinkMessageType)ReadUInt16LittleEndian(frame[4..]);
        var id = ReadUInt32LittleEndian(frame[8..]);
        if (((ushort)type & LinkProtocol.AnswerBit) != 0)
            throw new LinkProtocolException("A client has sent an answer.");
        if (ReadUInt16LittleEndian(frame[6..]) != 0 || ReadInt32LittleEndian(frame[12..]) != 0)
            throw new LinkProtocolException($"A request of type {(ushort)type} has bits where zero belongs.");

        refusal = null;
        var size = FixedSize(type);
        if (size < 0)
        {
            refusal = new LinkAnswer(type, id, LinkErrno.UnknownRequest, default);
            return null;
        }

        var isInterface = InterfaceRequestCodec.HeadOf(type) > 0;
        if (isInterface || IsSetOption(type) || type is LinkMessageType.Resolve or LinkMessageType.Browse ? frame.Length < size : frame.Length != size)
            throw new LinkProtocolException($"A {type} of {frame.Length} bytes; it has {size}.");
        if (isInterface)
        {
            var request = InterfaceRequestCodec.Read(type, id, frame);
            if (request is null)
                refusal = new LinkAnswer(type, id, (int)StackError.AddressFamilyNotSupported, default);
            return request;
        }

        var address = Sockaddr.None;
        if (AddressAt(type) is var at and > 0 && !Sockaddr.TryRead(frame[at..], out address))
        {
            const int Unsupported = (int)StackError.AddressFamilyNotSupported;
            refusal = type is LinkMessageType.AddGuest or LinkMessageType.AddDualStackGuest or LinkMessageType.Publish
                ? LinkAnswer.Refusal(type, id, Unsupported, "The address has an unknown family; it is AF_INET or AF_INET6.")
                : new LinkAnswer(type, id, Unsupported, default);
            return null;
        }

        return type == LinkMessageType.AddDualStackGuest ? ReadDualStackGuest(id, address.Endpoint.Address, frame, out refusal) : Read(type, id, address, frame);
    }

    /// <summary>Bytes that <see cref="Write"/> needs.</summary>
    /// <exception cref="ArgumentException">An <see cref="InterfaceRequest"/> is longer than a request can be.</exception>
    public static int SizeOf(LinkRequest request) => request switch
    {
        SetOptionRequest set => FixedSize(request.Type) + set.Value.Length,
        InterfaceRequest change => InterfaceRequestCodec.SizeOf(change),
        ResolveRequest resolve => resolve.Size,
        BrowseRequest browse => browse.Size,
        _ => FixedSize(request.Type),
    };

    /// <summary>Writes the frame, <see cref="SizeOf"/> bytes.</summary>
    public static void Write(LinkRequest request, Span<byte> frame)
    {
        frame = frame[..SizeOf(request)];
        frame.Clear();
        WriteUInt32LittleEndian(frame, (uint)frame.Length);
        WriteUInt16LittleEndian(frame[4..], (ushort)request.Type);
        WriteUInt32LittleEndian(frame[8..], request.Id);
        if (request is LinkSocketRequest { Handle: var handle })
            WriteUInt64LittleEndian(frame[HandleAt..], handle);
        WriteBody(request, frame);
    }

    /// <summary>Length of the frame; of <see cref="LinkMessageType.SetOption"/> without the value, of an <see cref="InterfaceRequest"/>, <see cref="ResolveRequest"/> or <see cref="BrowseRequest"/> without what varies; -1: unknown.</summary>
    private static int FixedSize(LinkMessageType type) => type switch
    {
        LinkMessageType.Socket => 24,
        LinkMessageType.Connect => 64,
        LinkMessageType.Bind => 56,
        LinkMessageType.Listen => 32,
        LinkMessageType.GetSockName => 24,
        LinkMessageType.GetPeerName => 24,
        LinkMessageType.Shutdown => 32,
        LinkMessageType.Close => 24,
        _ when IsSetOption(type) => 40,
        LinkMessageType.GetOption => 40,
        LinkMessageType.Session => 16,
        LinkMessageType.Path => 56,
        LinkMessageType.Ping => 56,
        LinkMessageType.Status or LinkMessageType.Figures => 16,
        LinkMessageType.AddAddress => 48,
        LinkMessageType.RemoveAddress => 48,
        LinkMessageType.ListInterfaces => 24,
        LinkMessageType.AddGuest => 48,
        LinkMessageType.AddDualStackGuest => 80,
        LinkMessageType.Publish => 56,
        LinkMessageType.Capture => CaptureRequest.Size,
        LinkMessageType.ListSockets => ListSocketsRequest.Size,
        LinkMessageType.Kill => KillRequest.Size,
        LinkMessageType.Operate => OperateRequest.Size,
        LinkMessageType.Resolve => ResolveRequest.Head,
        LinkMessageType.Browse => BrowseRequest.Head,
        _ => InterfaceRequestCodec.HeadOf(type) is > 0 and var head ? head : -1,
    };

    private static bool IsSetOption(LinkMessageType type) => type is LinkMessageType.SetOption or LinkMessageType.PostOption;

    /// <summary>Where the request's address is; 0 if it has none.</summary>
    private static int AddressAt(LinkMessageType type) => type switch
    {
        LinkMessageType.Connect or LinkMessageType.Bind or LinkMessageType.Path => AfterHandle,
        LinkMessageType.Ping or LinkMessageType.AddAddress or LinkMessageType.RemoveAddress or LinkMessageType.AddGuest or LinkMessageType.AddDualStackGuest or LinkMessageType.Publish or LinkMessageType.Capture or LinkMessageType.ListSockets or LinkMessageType.Kill => 16,
        _ => 0,
    };

    private static LinkRequest Read(LinkMessageType type, uint id, Sockaddr address, ReadOnlySpan<byte> frame)
    {
        var handle = frame.Length >= AfterHandle ? ReadUInt64LittleEndian(frame[HandleAt..]) : 0;
        return type switch
        {
            LinkMessageType.Socket => new SocketRequest(
                id, (SocketFamily)ReadUInt16LittleEndian(frame[16..]), (LinkSocketType)ReadUInt16LittleEndian(frame[18..]), ReadInt32LittleEndian(frame[20..])),
            LinkMessageType.Connect => new ConnectRequest(
                id, handle, address, ReadUInt32LittleEndian(frame[52..]), (ConnectFlags(frame) & NoWait) != 0, (ConnectFlags(frame) & AwaitHandshake) != 0),
            LinkMessageType.Bind => new BindRequest(id, handle, address),
            LinkMessageType.Listen => new ListenRequest(id, handle, ReadInt32LittleEndian(frame[AfterHandle..])),
            LinkMessageType.GetSockName => new GetSockNameRequest(id, handle),
            LinkMessageType.GetPeerName => new GetPeerNameRequest(id, handle),
            LinkMessageType.Shutdown => new ShutdownRequest(id, handle, (ShutdownHow)AtMost(ReadUInt32LittleEndian(frame[AfterHandle..]), 2, "direction")),
            LinkMessageType.Close => new CloseRequest(id, handle),
            _ when IsSetOption(type) => ReadSetOption(type, id, handle, frame),
            LinkMessageType.GetOption => new GetOptionRequest(
                id, handle, ReadInt32LittleEndian(frame[24..]), ReadInt32LittleEndian(frame[28..]),
                (int)Math.Min(ReadUInt32LittleEndian(frame[32..]), LinkProtocol.MaxOptionValue)),
            LinkMessageType.Session => new SessionRequest(id),
            LinkMessageType.Path => new PathRequest(id, handle, address),
            LinkMessageType.Ping => ReadPing(id, address, frame),
            LinkMessageType.Status => new StatusRequest(id),
            LinkMessageType.Figures => new StatusRequest(id, FiguresOnly: true),
            LinkMessageType.ListInterfaces => new ListInterfacesRequest(id, AtMost(ReadUInt32LittleEndian(frame[16..]), LinkProtocol.MaxInterfaceEntries, "first interface")),
            LinkMessageType.AddAddress => ReadAddAddress(id, address.Endpoint.Address, frame),
            LinkMessageType.RemoveAddress => new RemoveAddressRequest(id, address.Endpoint.Address),
            LinkMessageType.AddGuest => new AddGuestRequest(id, new GuestAddresses(address.Endpoint.Address), GuestMtu(frame)),
            LinkMessageType.Publish => new PublishRequest(id, address.Endpoint, (int)Math.Min(ReadUInt32LittleEndian(frame[44..]), int.MaxValue), ReadUInt16LittleEndian(frame[48..])),
            LinkMessageType.Resolve => ResolveRequest.Read(id, frame),
            LinkMessageType.Browse => BrowseRequest.Read(id, frame),
            LinkMessageType.Capture => CaptureRequest.Read(id, address, frame),
            LinkMessageType.ListSockets => ListSocketsRequest.Read(id, address, frame),
            LinkMessageType.Kill => KillRequest.Read(id, address, frame),
            LinkMessageType.Operate => OperateRequest.Read(id, frame),
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
        };
    }

    private static AddGuestRequest? ReadDualStackGuest(uint id, IpAddress v4, ReadOnlySpan<byte> frame, out LinkAnswer? refusal)
    {
        refusal = null;
        if (v4.IsV4 && Sockaddr.TryRead(frame[SecondGuestAddressAt..], out var second) && second.Endpoint.Address.IsV6)
            return new AddGuestRequest(id, new GuestAddresses(v4, second.Endpoint.Address), GuestMtu(frame));
        refusal = LinkAnswer.Refusal(LinkMessageType.AddDualStackGuest, id, (int)StackError.AddressFamilyNotSupported,
            "Of the addresses of a guest of both families the first is an IPv4 address, and the second an IPv6 address.");
        return null;
    }

    private static int GuestMtu(ReadOnlySpan<byte> frame) => (int)Math.Min(ReadUInt32LittleEndian(frame[44..]), int.MaxValue);

    private static SetOptionRequest ReadSetOption(LinkMessageType type, uint id, ulong handle, ReadOnlySpan<byte> frame)
    {
        var length = AtMost(ReadUInt32LittleEndian(frame[32..]), LinkProtocol.MaxOptionValue, "option length");
        if (frame.Length != 40 + length)
            throw new LinkProtocolException($"A {type} of {frame.Length} bytes with a value of {length}.");
        return new(id, handle, ReadInt32LittleEndian(frame[24..]), ReadInt32LittleEndian(frame[28..]), frame[40..].ToArray(), type == LinkMessageType.PostOption);
    }

    private static PingRequest ReadPing(uint id, Sockaddr destination, ReadOnlySpan<byte> frame)
    {
        var sequence = AtMost(ReadUInt32LittleEndian(frame[44..]), ushort.MaxValue, "ping sequence number");
        var size = AtMost(ReadUInt32LittleEndian(frame[48..]), PingRequest.MostBytes, "ping size");
        var timeout = AtMost(ReadUInt32LittleEndian(frame[52..]), 60_000, "ping time-out");
        return new(id, destination, (ushort)sequence, size, Math.Max(1, timeout));
    }

    private static AddAddressRequest ReadAddAddress(uint id, IpAddress address, ReadOnlySpan<byte> frame) =>
        new(id, address, AtMost(ReadUInt32LittleEndian(frame[44..]), (uint)address.Length * 8, "prefix length"));

    private static int ConnectFlags(ReadOnlySpan<byte> frame) => AtMost(ReadUInt32LittleEndian(frame[56..]), NoWait | AwaitHandshake, "flags of a connect");

    private static void WriteBody(LinkRequest request, Span<byte> frame)
    {
        switch (request)
        {
            case SocketRequest socket:
                WriteUInt16LittleEndian(frame[16..], (ushort)socket.Family);
                WriteUInt16LittleEndian(frame[18..], (ushort)socket.SocketType);
                WriteInt32LittleEndian(frame[20..], socket.Protocol);
                break;
            case ConnectRequest connect:
                connect.Remote.WriteTo(frame[AfterHandle..]);
                WriteUInt32LittleEndian(frame[52..], connect.Discard);
                WriteUInt32LittleEndian(frame[56..], (uint)((connect.NoWait ? NoWait : 0) | (connect.AwaitHandshake ? AwaitHandshake : 0)));
                break;
            case BindRequest bind:
                bind.Local.WriteTo(frame[AfterHandle..]);
                break;
            case PathRequest path:
                path.Destination.WriteTo(frame[AfterHandle..]);
                break;
            case ListenRequest listen:
                WriteInt32LittleEndian(frame[AfterHandle..], listen.Backlog);
                break;
            case ShutdownRequest shutdown:
                WriteUInt32LittleEndian(frame[AfterHandle..], (uint)shutdown.How);
                break;
            case SetOptionRequest set:
                WriteInt32LittleEndian(frame[24..], set.Level);
                WriteInt32LittleEndian(frame[28..], set.Name);
                WriteUInt32LittleEndian(frame[32..], (uint)set.Value.Length);
                set.Value.Span.CopyTo(frame[40..]);
                break;
            case GetOptionRequest get:
                WriteInt32LittleEndian(frame[24..], get.Level);
                WriteInt32LittleEndian(frame[28..], get.Name);
                WriteUInt32LittleEndian(frame[32..], (uint)get.MaxLength);
                break;
            case PingRequest ping:
                ping.Destination.WriteTo(frame[16..]);
                WriteUInt32LittleEndian(frame[44..], ping.Sequence);
                WriteUInt32LittleEndian(frame[48..], (uint)ping.Size);
                WriteUInt32LittleEndian(frame[52..], (uint)ping.TimeoutMilliseconds);
                break;
            case ListInterfacesRequest list:
                WriteUInt32LittleEndian(frame[16..], (uint)list.From);
                break;
            case AddAddressRequest add:
                Sockaddr.From(new(add.Address, 0)).WriteTo(frame[16..]);
                WriteUInt32LittleEndian(frame[44..], (uint)add.PrefixLength);
                break;
            case RemoveAddressRequest remove:
                Sockaddr.From(new(remove.Address, 0)).WriteTo(frame[16..]);
                break;
            case AddGuestRequest add:
                Sockaddr.From(new(add.Addresses.All[0], 0)).WriteTo(frame[16..]);
                WriteUInt32LittleEndian(frame[44..], (uint)add.Mtu);
                if (add.Addresses.All.Count > 1)
                    Sockaddr.From(new(add.Addresses.All[1], 0)).WriteTo(frame[SecondGuestAddressAt..]);
                break;
            case PublishRequest publish:
                Sockaddr.From(publish.Listen).WriteTo(frame[16..]);
                WriteUInt32LittleEndian(frame[44..], (uint)publish.Protocol);
                WriteUInt16LittleEndian(frame[48..], publish.Port);
                break;
            case CaptureRequest capture:
                capture.WriteBody(frame);
                break;
            case ListSocketsRequest list:
                list.WriteBody(frame);
                break;
            case KillRequest kill:
                kill.WriteBody(frame);
                break;
            case OperateRequest operate:
                operate.WriteBody(frame);
                break;
            case ResolveRequest resolve:
                resolve.WriteBody(frame);
                break;
            case BrowseRequest browse:
                browse.WriteBody(frame);
                break;
            case InterfaceRequest change:
                InterfaceRequestCodec.Write(change, frame);
                break;
        }
    }

    private static bool Flag(uint value) => AtMost(value, 1, "flag") == 1;

    internal static int AtMost(uint value, uint limit, string what) =>
        value <= limit ? (int)value : throw new LinkProtocolException($"The {what} is {value}; at most {limit} is allowed.");
}
