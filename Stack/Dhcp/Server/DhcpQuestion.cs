using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>A message of a client's, as a server reads it (RFC 2131, 4.3).</summary>
internal sealed record DhcpQuestion
{
    private const ushort BroadcastFlag = 0x8000;

    /// <summary>The least that a client takes of an IP packet (RFC 2131, 2).</summary>
    private const int UsualSize = 576;

    /// <summary>The IP and UDP header.</summary>
    private const int Headers = 28;

    public required DhcpMessageType Type { get; init; }

    public required uint Transaction { get; init; }

    public required MacAddress Hardware { get; init; }

    public required bool Broadcast { get; init; }

    public required IpAddress ClientAddress { get; init; }

    /// <summary>What tells this client from others: its identifier, or its Ethernet address (RFC 2131, 4.2).</summary>
    public required string Key { get; init; }

    /// <summary>Empty: it sends none.</summary>
    public required byte[] Identifier { get; init; }

    public required string Name { get; init; }

    public required IpAddress? RequestedAddress { get; init; }

    public required IpAddress? Server { get; init; }

    /// <summary>The client wants the search list (RFC 3397).</summary>
    public required bool WantsSearch { get; init; }

    /// <summary>Bytes of the longest answer.</summary>
    public required int Room { get; init; }

    public static DhcpServerDrop Read(ReadOnlySpan<byte> message, out DhcpQuestion? question)
    {
        question = null;
        if (message.Length < DhcpMessage.OptionsOffset || message.Length > DhcpMessage.MaxLength)
            return DhcpServerDrop.BadLength;
        if (message[0] != DhcpMessage.BootRequest)
            return DhcpServerDrop.BadOperation;
        var hardware = MacAddress.FromBytes(message[28..]);
        if (message[1] != DhcpMessage.Ethernet || message[2] != 6 || hardware.IsGroup || hardware.Value == 0)
            return DhcpServerDrop.BadHardware;
        if (BinaryPrimitives.ReadUInt32BigEndian(message[(DhcpMessage.OptionsOffset - 4)..]) != DhcpMessage.Cookie)
            return DhcpServerDrop.BadCookie;
        if (BinaryPrimitives.ReadUInt32BigEndian(message[24..]) != 0)
            return DhcpServerDrop.Relayed;
        if (DhcpOptions.Read(message, out var options) != DhcpDrop.None
            || !options.TryRead32(DhcpOption.RequestedAddress, out var requested) || !options.TryRead32(DhcpOption.ServerIdentifier, out var server))
            return DhcpServerDrop.BadOption;
        if (options[DhcpOption.MessageType] is not [var type] || (DhcpMessageType)type is not (DhcpMessageType.Discover or DhcpMessageType.Request or DhcpMessageType.Decline or DhcpMessageType.Release or DhcpMessageType.Inform))
            return DhcpServerDrop.BadType;
        var identifier = options[DhcpOption.ClientIdentifier];
        // RFC 2132, 9.14: two bytes are the least; a longer one than an option takes has come in parts.
        if (options.Has(DhcpOption.ClientIdentifier) && identifier.Length is < 2 or > 255)
            return DhcpServerDrop.BadOption;
        var size = options[DhcpOption.MaximumMessageSize];
        if (options.Has(DhcpOption.MaximumMessageSize) && size.Length != 2)
            return DhcpServerDrop.BadOption;
        question = new DhcpQuestion
        {
            Type = (DhcpMessageType)type,
            Transaction = BinaryPrimitives.ReadUInt32BigEndian(message[4..]),
            Hardware = hardware,
            Broadcast = (BinaryPrimitives.ReadUInt16BigEndian(message[10..]) & BroadcastFlag) != 0,
            ClientAddress = IpAddress.FromV4(BinaryPrimitives.ReadUInt32BigEndian(message[12..])),
            Key = identifier.IsEmpty ? hardware.ToString() : Convert.ToHexString(identifier),
            Identifier = identifier.ToArray(),
            Name = NameOf(options[DhcpOption.HostName]),
            RequestedAddress = requested is { } address ? IpAddress.FromV4(address) : null,
            Server = server is { } id ? IpAddress.FromV4(id) : null,
            WantsSearch = options[DhcpOption.ParameterRequestList].Contains((byte)DhcpOption.DomainSearch),
            Room = (size.IsEmpty ? UsualSize : Math.Clamp((int)BinaryPrimitives.ReadUInt16BigEndian(size), UsualSize, DhcpMessage.MaxLength + Headers)) - Headers,
        };
        return DhcpServerDrop.None;
    }

    /// <summary>It is shown to operators: what is no name is left out.</summary>
    private static string NameOf(ReadOnlySpan<byte> bytes)
    {
        var name = Encoding.Latin1.GetString(bytes).TrimEnd('\0');
        return name.Length <= DhcpMessage.MaxText && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.') ? name : "";
    }
}
