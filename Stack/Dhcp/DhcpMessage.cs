using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>A message of the client's (RFC 2131, 2 and 4.4.1, Table 5).</summary>
public sealed record DhcpMessage
{
    public const ushort ClientPort = 68;
    public const ushort ServerPort = 67;

    /// <summary>The fixed fields and the magic cookie.</summary>
    public const int OptionsOffset = 240;

    /// <summary>The shortest message that all relays pass on: that of BOOTP (RFC 1542, 2.1).</summary>
    public const int LeastLength = 300;

    /// <summary>The longest message that is read: as long as this client says that it takes.</summary>
    public const int MaxLength = 1472;

    /// <summary>Bytes of the longest client identifier and host name.</summary>
    public const int MaxText = 64;

    internal const byte BootRequest = 1;
    internal const byte BootReply = 2;
    internal const byte Ethernet = 1;
    internal const uint Cookie = 0x6382_5363;

    private const ushort BroadcastFlag = 0x8000;

    /// <summary>What the client would like to know. Classless routes stand before the router (RFC 3442).</summary>
    private static ReadOnlySpan<byte> Wanted =>
    [
        (byte)DhcpOption.SubnetMask, (byte)DhcpOption.ClasslessStaticRoute, (byte)DhcpOption.Router, (byte)DhcpOption.DomainNameServer, (byte)DhcpOption.DomainName,
        (byte)DhcpOption.DomainSearch, (byte)DhcpOption.InterfaceMtu, (byte)DhcpOption.BroadcastAddress, (byte)DhcpOption.LeaseTime, (byte)DhcpOption.RenewalTime, (byte)DhcpOption.RebindingTime,
    ];

    public required DhcpMessageType Type { get; init; }

    public required uint Transaction { get; init; }

    public required MacAddress Hardware { get; init; }

    /// <summary>Seconds since the client began to ask for an address.</summary>
    public ushort Seconds { get; init; }

    /// <summary>The answer is to be broadcast: the client has no address yet.</summary>
    public bool Broadcast { get; init; }

    /// <summary>ciaddr: the client's address, which it has and can be reached by; unspecified: none.</summary>
    public IpAddress ClientAddress { get; init; } = IpAddress.AnyV4;

    /// <summary>The type and the identifier (RFC 4361, 6.1), up to <see cref="MaxText"/> bytes.</summary>
    public ReadOnlyMemory<byte> ClientIdentifier { get; init; }

    /// <summary>Up to <see cref="MaxText"/> bytes; empty: none.</summary>
    public string HostName { get; init; } = "";

    public IpAddress? RequestedAddress { get; init; }

    public IpAddress? Server { get; init; }

    /// <summary>The longest answer, in bytes of IP packet; 0: not said.</summary>
    public ushort MaximumSize { get; init; }

    public byte[] Emit()
    {
        var bytes = new byte[OptionsOffset + 2 * (2 + MaxText) + 64];
        bytes[0] = BootRequest;
        bytes[1] = Ethernet;
        bytes[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), Transaction);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(8), Seconds);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(10), Broadcast ? BroadcastFlag : (ushort)0);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(12), ClientAddress.V4);
        Hardware.CopyTo(bytes.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(OptionsOffset - 4), Cookie);
        var writer = new DhcpOptionWriter(bytes);
        writer.Put(DhcpOption.MessageType, [(byte)Type]);
        writer.Put(DhcpOption.ClientIdentifier, ClientIdentifier.Span);
        if (RequestedAddress is { } requested)
            writer.Put(DhcpOption.RequestedAddress, requested);
        if (Server is { } server)
            writer.Put(DhcpOption.ServerIdentifier, server);
        if (Type is DhcpMessageType.Discover or DhcpMessageType.Request)
        {
            if (MaximumSize != 0)
                writer.Put(DhcpOption.MaximumMessageSize, [(byte)(MaximumSize >> 8), (byte)MaximumSize]);
            writer.Put(DhcpOption.ParameterRequestList, Wanted);
            Span<byte> name = stackalloc byte[MaxText];
            writer.Put(DhcpOption.HostName, name[..System.Text.Encoding.ASCII.GetBytes(HostName.AsSpan(0, Math.Min(HostName.Length, MaxText)), name)]);
        }

        return bytes[..writer.End()];
    }
}
