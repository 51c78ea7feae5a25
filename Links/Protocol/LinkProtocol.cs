using System.Buffers.Binary;
using Tapwire.Posix;

namespace Tapwire.Links.Protocol;

/// <summary>Constants of the control protocol, which docs/link-protocol.md describes. All numbers are little-endian.</summary>
public static class LinkProtocol
{
    /// <summary>The protocol's version. A driver serves one. Requests may be added within a version: a driver answers ENOSYS to those that it does not
    /// know.</summary>
    public const uint Version = 1;

    /// <summary>Bytes of the hello that each side sends first: 8 bytes of magic, u32 version, u32 zero.</summary>
    public const int HelloSize = 16;

    /// <summary>Bytes before the body of every frame: u32 length of the whole frame, u16 type, u16 zero, u32 request id, i32 error.</summary>
    public const int HeaderSize = 16;

    /// <summary>Longest request in bytes.</summary>
    public const int MaxRequest = 1024;

    /// <summary>Longest answer in bytes; only <see cref="LinkMessageType.Status"/> comes near it.</summary>
    public const int MaxAnswer = 1 << 20;

    /// <summary>Longest value of a socket option in bytes.</summary>
    public const int MaxOptionValue = 512;

    /// <summary>Longest reason in the answer to a request that changes interfaces, in bytes.</summary>
    public const int MaxReason = 1024;

    /// <summary>Most entries of all answers to <see cref="LinkMessageType.ListInterfaces"/> together.</summary>
    public const int MaxInterfaceEntries = 1 << 16;

    /// <summary>Set in the type of an answer.</summary>
    public const ushort AnswerBit = 0x8000;

    /// <summary>The first eight bytes of a hello.</summary>
    public static ReadOnlySpan<byte> Magic => "tapwire\0"u8;

    /// <summary>Writes <see cref="HelloSize"/> bytes.</summary>
    public static void WriteHello(Span<byte> destination, uint version = Version)
    {
        Magic.CopyTo(destination);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], version);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[12..], 0);
    }

    /// <summary>Reads <see cref="HelloSize"/> bytes and returns the version that the other side speaks.</summary>
    /// <exception cref="LinkProtocolException">It does not begin with the magic.</exception>
    public static uint ReadHello(ReadOnlySpan<byte> source)
    {
        if (!source[..Magic.Length].SequenceEqual(Magic))
            throw new LinkProtocolException("The other side does not speak the Tapwire link protocol: no magic in its first bytes.");
        return BinaryPrimitives.ReadUInt32LittleEndian(source[8..]);
    }
}

/// <summary>What a frame asks for; its answer has the same type with <see cref="LinkProtocol.AnswerBit"/>.</summary>
public enum LinkMessageType : ushort
{
    Socket = 1,
    Connect = 2,
    Bind = 3,
    Listen = 4,
    GetSockName = 5,
    GetPeerName = 6,
    Shutdown = 7,
    Close = 8,
    SetOption = 9,
    GetOption = 10,
    Session = 11,
    Path = 12,
    Ping = 16,
    Status = 17,
    AddAddress = 18,
    RemoveAddress = 19,
    AddInterface = 20,
    RemoveInterface = 21,
    AddInterfaceAddress = 22,
    AddRoute = 23,
    RemoveRoute = 24,
    ListInterfaces = 25,
    AddGuest = 26,
    Publish = 27,
    PostOption = 28,
    Resolve = 29,
    ChangeNeighbor = 31,
    AddDualStackGuest = 34,
    Capture = 40,
    ListSockets = 41,
    Kill = 42,
    Operate = 43,
    AddMetricRoute = 44,
    Browse = 45,
    Figures = 46,
}

/// <summary>Errors of the link itself that no <see cref="Tapwire.Stack.StackError"/> has, as Linux errno numbers.</summary>
public static class LinkErrno
{
    /// <summary>EPERM: the request is for the driver's own user and root.</summary>
    public const int NotPermitted = 1;

    /// <summary>ENOENT: there is none of what an option names.</summary>
    public const int NoEntry = 2;

    /// <summary>ENXIO: a device does not open.</summary>
    public const int NoDevice = 6;

    /// <summary>EBADF: no socket has that handle.</summary>
    public const int BadHandle = 9;

    /// <summary>EAGAIN: no port is left for a socket that has none.</summary>
    public const int TryAgain = 11;

    /// <summary>EBUSY: too much of that kind is under way.</summary>
    public const int Busy = 16;

    /// <summary>EEXIST: there is one like it.</summary>
    public const int AlreadyThere = 17;

    /// <summary>ENODEV: there is no such interface.</summary>
    public const int NoInterface = 19;

    /// <summary>EMFILE: no descriptor is left.</summary>
    public const int TooManyDescriptors = 24;

    /// <summary>ENOSYS: the driver does not know this request.</summary>
    public const int UnknownRequest = 38;

    /// <summary>ENODATA: a name has no address of the family that was asked for.</summary>
    public const int NoData = 61;

    /// <summary>ENONET: the driver has no name server for a name.</summary>
    public const int NoServer = 64;

    /// <summary>EPROTONOSUPPORT.</summary>
    public const int ProtocolNotSupported = 93;

    /// <summary>ESOCKTNOSUPPORT.</summary>
    public const int SocketTypeNotSupported = 94;

    /// <summary>ETOOMANYREFS: too many descriptors are in flight to applications that do not read them.</summary>
    public const int TooManyInFlight = 109;

    /// <summary>EALREADY: the socket is connecting already.</summary>
    public const int AlreadyConnecting = 114;

    /// <summary>EREMOTEIO: name servers have answered that they cannot say.</summary>
    public const int ServerFailure = 121;

    /// <summary>EINPROGRESS: the connect goes on. Readiness and SO_ERROR tell the outcome.</summary>
    public const int InProgress = 115;
}

/// <summary>The other side of a control connection does not keep to the protocol. The connection is to be closed; nothing else is affected.</summary>
public sealed class LinkProtocolException : IOException
{
    public LinkProtocolException()
    {
    }

    public LinkProtocolException(string message)
        : base(message)
    {
    }

    public LinkProtocolException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
