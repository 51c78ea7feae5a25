using System.Buffers.Binary;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>The server's side of DHCPv6 without addresses (RFC 8415, 18.3.6): stations make theirs of the router's prefixes, and learn the rest here. It remembers nothing.</summary>
/// <param name="duid">The server's name.</param>
/// <param name="nameServers">Of IPv6.</param>
public sealed class Dhcp6Responder(ReadOnlyMemory<byte> duid, IReadOnlyList<IpAddress> nameServers, IReadOnlyList<string> domains)
{
    /// <summary>When stations ask again (RFC 8415, 21.23).</summary>
    private static readonly TimeSpan RefreshTime = TimeSpan.FromHours(1);

    public DhcpServerCounters Counters { get; } = new();

    /// <summary>Answers a message that has come to port 547. Whatever is in it, nothing is thrown.</summary>
    /// <returns>Null: there is no answer.</returns>
    public byte[]? Receive(ReadOnlySpan<byte> message)
    {
        var drop = TryAnswer(message, out var answer);
        if (drop != DhcpServerDrop.None)
            Counters.Count(drop);
        return answer;
    }

    private DhcpServerDrop TryAnswer(ReadOnlySpan<byte> message, out byte[]? answer)
    {
        answer = null;
        if (message.Length is < Dhcp6.HeaderLength or > Dhcp6.MaxLength)
            return DhcpServerDrop.BadLength;
        var options = message[Dhcp6.HeaderLength..];
        if (!Dhcp6Options.AreWellFormed(options))
            return DhcpServerDrop.BadOption;
        var client = Dhcp6Options.Find(options, Dhcp6Option.ClientIdentifier, out var clients);
        var server = Dhcp6Options.Find(options, Dhcp6Option.ServerIdentifier, out var servers);
        Dhcp6Options.Find(options, Dhcp6Option.NonTemporaryAddresses, out var associations);
        if (clients > 1 || servers > 1 || client.Length > Dhcp6.MaxDuid || (clients == 1 && client.IsEmpty))
            return DhcpServerDrop.BadOption;
        if ((Dhcp6MessageType)message[0] is < Dhcp6MessageType.Solicit or > Dhcp6MessageType.InformationRequest or Dhcp6MessageType.Advertise or Dhcp6MessageType.Reply or Dhcp6MessageType.Reconfigure)
            return DhcpServerDrop.BadType;
        // RFC 8415, 16.12: whoever asks for addresses in such a message makes a mistake.
        if ((Dhcp6MessageType)message[0] != Dhcp6MessageType.InformationRequest || associations > 0)
            return DhcpServerDrop.NotServed;
        if (servers == 1 && !server.SequenceEqual(duid.Span))
            return DhcpServerDrop.OtherServer;
        Counters.Received++;
        Counters.Sent++;
        answer = Emit(message[1..Dhcp6.HeaderLength], client);
        return DhcpServerDrop.None;
    }

    private byte[] Emit(ReadOnlySpan<byte> transaction, ReadOnlySpan<byte> client)
    {
        var bytes = new List<byte>(256) { (byte)Dhcp6MessageType.Reply };
        bytes.AddRange(transaction);
        Put(bytes, Dhcp6Option.ServerIdentifier, duid.Span);
        Put(bytes, Dhcp6Option.ClientIdentifier, client);
        Put(bytes, Dhcp6Option.NameServers, nameServers.SelectMany(static each => Bytes(each)).ToArray());
        Put(bytes, Dhcp6Option.DomainSearch, DnsSearchList.Emit(domains));
        var refresh = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(refresh, (uint)RefreshTime.TotalSeconds);
        Put(bytes, Dhcp6Option.InformationRefreshTime, refresh);
        return [.. bytes];
    }

    private static byte[] Bytes(IpAddress address)
    {
        var bytes = new byte[16];
        address.CopyTo16(bytes);
        return bytes;
    }

    /// <summary>An empty value is none.</summary>
    private static void Put(List<byte> bytes, Dhcp6Option option, scoped ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
            return;
        bytes.AddRange([(byte)((ushort)option >> 8), (byte)option, (byte)(value.Length >> 8), (byte)value.Length]);
        bytes.AddRange(value);
    }
}
