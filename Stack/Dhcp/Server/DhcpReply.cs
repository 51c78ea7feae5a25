using System.Buffers.Binary;
using System.Text;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>Writes a server's answer (RFC 2131, 4.3.1, Table 3).</summary>
internal static class DhcpReply
{
    /// <param name="yours">yiaddr; unspecified: none is given.</param>
    /// <param name="lease">Zero: the answer is none about a lease.</param>
    public static byte[] Emit(DhcpMessageType type, DhcpQuestion question, IpAddress yours, TimeSpan lease, DhcpServerOptions options)
    {
        var bytes = new byte[question.Room];
        bytes[0] = DhcpMessage.BootReply;
        bytes[1] = DhcpMessage.Ethernet;
        bytes[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(4), question.Transaction);
        if (question.Broadcast)
            bytes[10] = 0x80;
        if (type == DhcpMessageType.Ack)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(12), question.ClientAddress.V4);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(16), yours.V4);
        question.Hardware.CopyTo(bytes.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(DhcpMessage.OptionsOffset - 4), DhcpMessage.Cookie);
        var writer = new DhcpOptionWriter(bytes);
        writer.Put(DhcpOption.MessageType, [(byte)type]);
        writer.Put(DhcpOption.ServerIdentifier, options.Address.Address);
        // RFC 6842.
        writer.Put(DhcpOption.ClientIdentifier, question.Identifier);
        if (type != DhcpMessageType.Nak)
            PutNetwork(ref writer, question, lease, options);
        return bytes[..writer.End()];
    }

    private static void PutNetwork(ref DhcpOptionWriter writer, DhcpQuestion question, TimeSpan lease, DhcpServerOptions options)
    {
        if (lease > TimeSpan.Zero)
        {
            writer.Put(DhcpOption.LeaseTime, lease);
            writer.Put(DhcpOption.RenewalTime, lease / 2);
            writer.Put(DhcpOption.RebindingTime, lease * 7 / 8);
        }

        writer.Put(DhcpOption.SubnetMask, IpAddress.FromV4(uint.MaxValue << (32 - options.Address.Length)));
        if (options.Router is { } router)
            writer.Put(DhcpOption.Router, router);
        Span<byte> servers = stackalloc byte[4 * Math.Min(options.NameServers.Count, DhcpLease.MostNameServers)];
        for (var i = 0; i < servers.Length / 4; i++)
            options.NameServers[i].CopyTo(servers[(4 * i)..]);
        writer.Put(DhcpOption.DomainNameServer, servers);
        if (options.Mtu > 0)
            writer.Put(DhcpOption.InterfaceMtu, [(byte)(options.Mtu >> 8), (byte)options.Mtu]);
        if (options.Address.Broadcast is { } broadcast)
            writer.Put(DhcpOption.BroadcastAddress, broadcast);
        if (options.Domains is [var domain, ..])
            writer.Put(DhcpOption.DomainName, Encoding.ASCII.GetBytes(domain));
        if (question.WantsSearch)
            writer.Put(DhcpOption.DomainSearch, SearchList(options.Domains));
    }

    /// <summary>Names as in DNS messages, without compression; those that have room in one option.</summary>
    private static byte[] SearchList(IReadOnlyList<string> domains)
    {
        var list = new List<byte>();
        foreach (var domain in domains)
        {
            var name = DnsSearchList.Emit([domain]);
            if (list.Count + name.Length > byte.MaxValue)
                break;
            list.AddRange(name);
        }

        return [.. list];
    }
}
