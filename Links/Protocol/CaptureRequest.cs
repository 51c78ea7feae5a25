using System.Buffers.Binary;
using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>
/// Has the driver write the packets of its interfaces to a stream, whose descriptor comes with the frame: one end of a pair of AF_UNIX stream sockets. For the driver's own user and root. The capture ends when the
/// client shuts down its end for sending, and reads then the rest; or when it closes it.
/// </summary>
/// <param name="Interface">The only interface that is wanted, up to <see cref="MaxName"/> bytes; empty: all.</param>
/// <param name="Host">Only packets from or to this address; null: any.</param>
/// <param name="Port">Only packets from or to this port; 0: any.</param>
/// <param name="SnapLength">Bytes recorded of each packet.</param>
/// <param name="Count">Ends the capture after so many packets; 0: never.</param>
public sealed record CaptureRequest(uint Id, string Interface, IpAddress? Host, ushort Port, int SnapLength, long Count) : LinkRequest(LinkMessageType.Capture, Id)
{
    /// <summary>The longest name of an interface, in bytes.</summary>
    public const int MaxName = 15;

    private const uint OuterFlag = 1;

    /// <summary>Bytes of the whole frame.</summary>
    internal const int Size = 80;

    /// <summary>The datagrams of tunnels, rather than the packets in them.</summary>
    public bool Outer { get; init; }

    /// <summary>The stream; null if none has come. Whoever handles the request disposes it, or takes it.</summary>
    public PassedDescriptor? Output { get; init; }

    public override PassedDescriptor? Passed => Output;

    public LinkAnswer Done() => Succeeded();

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);

    /// <param name="host">Of the family Unspecified: any.</param>
    internal static CaptureRequest Read(uint id, Sockaddr host, ReadOnlySpan<byte> frame)
    {
        var name = frame.Slice(64, MaxName + 1);
        var length = name.IndexOf((byte)0);
        if (length < 0)
            throw new LinkProtocolException($"The name of an interface has more than {MaxName} bytes.");
        return new(id, Encoding.UTF8.GetString(name[..length]), host.Family == SocketFamily.Unspecified ? null : host.Endpoint.Address,
            BinaryPrimitives.ReadUInt16LittleEndian(frame[44..]),
            (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(frame[48..]), int.MaxValue),
            (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(frame[56..]), long.MaxValue)) { Outer = (BinaryPrimitives.ReadUInt32LittleEndian(frame[52..]) & OuterFlag) != 0 };
    }

    internal void WriteBody(Span<byte> frame)
    {
        (Host is { } host ? Sockaddr.From(new IpEndpoint(host, 0)) : Sockaddr.None).WriteTo(frame[16..]);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[44..], Port);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[48..], (uint)SnapLength);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[52..], Outer ? OuterFlag : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[56..], (ulong)Count);
        Encoding.UTF8.GetBytes(Interface, frame.Slice(64, MaxName));
    }
}
