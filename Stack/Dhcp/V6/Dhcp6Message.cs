using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>A message of the client's (RFC 8415, 8 and 18.2).</summary>
public sealed record Dhcp6Message
{
    /// <summary>IAID, T1 and T2.</summary>
    private const int AssociationLength = 12;

    /// <summary>Of an address: itself, and its two lifetimes.</summary>
    private const int AddressLength = 24;

    /// <summary>RFC 4704, 4.1: the server enters the name for the address.</summary>
    private const byte ServerEnters = 1;

    public required Dhcp6MessageType Type { get; init; }

    /// <summary>24 bits.</summary>
    public required uint Transaction { get; init; }

    /// <summary>The client's DUID, 1..<see cref="Dhcp6.MaxDuid"/> bytes.</summary>
    public required ReadOnlyMemory<byte> Client { get; init; }

    /// <summary>The DUID of the only server that is asked; empty: all are.</summary>
    public ReadOnlyMemory<byte> Server { get; init; }

    /// <summary>The IAID of the addresses that are asked for; null: none are.</summary>
    public uint? Association { get; init; }

    /// <summary>The addresses that are wanted, had, or given back: up to <see cref="Dhcp6Lease.MostAddresses"/>.</summary>
    public IReadOnlyList<IpAddress> Addresses { get; init; } = [];

    /// <summary>Since the first message of the exchange (RFC 8415, 21.9).</summary>
    public TimeSpan Elapsed { get; init; }

    /// <summary>The client's name, up to <see cref="DhcpMessage.MaxText"/> bytes of ASCII; empty: none.</summary>
    public string HostName { get; init; } = "";

    /// <summary>A server may grant at once (RFC 8415, 21.14).</summary>
    public bool RapidCommit { get; init; }

    public byte[] Emit()
    {
        var bytes = new List<byte>(256);
        bytes.AddRange([(byte)Type, (byte)(Transaction >> 16), (byte)(Transaction >> 8), (byte)Transaction]);
        Put(bytes, Dhcp6Option.ClientIdentifier, Client.Span);
        if (!Server.IsEmpty)
            Put(bytes, Dhcp6Option.ServerIdentifier, Server.Span);
        PutNumbers(bytes, Dhcp6Option.ElapsedTime, (ushort)Math.Clamp(Elapsed.TotalMilliseconds / 10, 0, ushort.MaxValue));
        if (Wanted is { Length: > 0 } wanted)
            PutNumbers(bytes, Dhcp6Option.OptionRequest, wanted);
        if (RapidCommit)
            Put(bytes, Dhcp6Option.RapidCommit, []);
        if (NameOf() is { Length: > 0 } name)
            Put(bytes, Dhcp6Option.ClientName, [ServerEnters, .. name]);
        if (Association is { } identifier)
            PutAssociation(bytes, identifier);
        return [.. bytes];
    }

    /// <summary>What the client would like to know (RFC 8415, 21.7): of messages that are no more than questions about addresses, nothing.</summary>
    private ushort[] Wanted => Type switch
    {
        Dhcp6MessageType.Solicit or Dhcp6MessageType.Request or Dhcp6MessageType.Renew or Dhcp6MessageType.Rebind =>
            [(ushort)Dhcp6Option.NameServers, (ushort)Dhcp6Option.DomainSearch, (ushort)Dhcp6Option.SolicitMaxRt],
        Dhcp6MessageType.InformationRequest =>
            [(ushort)Dhcp6Option.NameServers, (ushort)Dhcp6Option.DomainSearch, (ushort)Dhcp6Option.InformationRefreshTime, (ushort)Dhcp6Option.InformationMaxRt],
        _ => [],
    };

    /// <summary>T1, T2 and lifetimes are zero: the server chooses.</summary>
    private void PutAssociation(List<byte> bytes, uint identifier)
    {
        var value = new byte[AssociationLength + Addresses.Count * (4 + AddressLength)];
        BinaryPrimitives.WriteUInt32BigEndian(value, identifier);
        var rest = value.AsSpan(AssociationLength);
        foreach (var address in Addresses)
        {
            BinaryPrimitives.WriteUInt16BigEndian(rest, (ushort)Dhcp6Option.Address);
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], AddressLength);
            address.CopyTo(rest[4..]);
            rest = rest[(4 + AddressLength)..];
        }

        Put(bytes, Dhcp6Option.NonTemporaryAddresses, value);
    }

    /// <summary>The name as in DNS (RFC 4704, 4.2): one without a dot is a part of one, and does not end. Empty: there is none to be told.</summary>
    private byte[] NameOf()
    {
        var labels = HostName.Split('.');
        if (Type is not (Dhcp6MessageType.Solicit or Dhcp6MessageType.Request or Dhcp6MessageType.Renew or Dhcp6MessageType.Rebind)
            || HostName.Length > DhcpMessage.MaxText || labels.Any(static label => label.Length is 0 or > 63))
            return [];
        byte[] name = [.. labels.SelectMany(static label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)])];
        return labels.Length > 1 ? [.. name, 0] : name;
    }

    private static void PutNumbers(List<byte> bytes, Dhcp6Option option, params ReadOnlySpan<ushort> numbers)
    {
        var value = new byte[2 * numbers.Length];
        for (var i = 0; i < numbers.Length; i++)
            BinaryPrimitives.WriteUInt16BigEndian(value.AsSpan(2 * i), numbers[i]);
        Put(bytes, option, value);
    }

    private static void Put(List<byte> bytes, Dhcp6Option option, scoped ReadOnlySpan<byte> value)
    {
        bytes.AddRange([(byte)((ushort)option >> 8), (byte)option, (byte)(value.Length >> 8), (byte)value.Length]);
        bytes.AddRange(value);
    }
}
