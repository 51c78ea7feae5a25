using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>A server's message, read strictly. A part of little weight that is wrong (a router, a name server) is left out and counted; any other fault costs the message.</summary>
/// <param name="Type">Offer, Ack or Nak.</param>
/// <param name="Server">Who has sent it.</param>
/// <param name="Lease">Null in a Nak.</param>
internal sealed record DhcpAnswer(DhcpMessageType Type, IpAddress Server, DhcpLease? Lease)
{
    private const int LeastMask = 8;

    /// <summary>Reads a message. Never throws.</summary>
    /// <param name="transaction">The only one whose answers are read.</param>
    /// <param name="counters">Counts what is left out.</param>
    public static DhcpDrop Read(ReadOnlySpan<byte> message, uint transaction, MacAddress hardware, DhcpCounters counters, out DhcpAnswer? answer)
    {
        var drop = ReadHeader(message, transaction, hardware);
        answer = null;
        return drop == DhcpDrop.None ? ReadOptions(message, counters, out answer) : drop;
    }

    /// <summary>Reads a message that was kept, whose transaction nobody knows any more.</summary>
    /// <returns>Null: it is not what a lease was read from.</returns>
    public static DhcpLease? ReadKept(ReadOnlySpan<byte> message)
    {
        if (message.Length < DhcpMessage.OptionsOffset)
            return null;
        var hardware = MacAddress.FromBytes(message[28..]);
        return Read(message, BinaryPrimitives.ReadUInt32BigEndian(message[4..]), hardware, new DhcpCounters(), out var answer) == DhcpDrop.None && answer!.Type == DhcpMessageType.Ack ? answer.Lease : null;
    }

    private static DhcpDrop ReadHeader(ReadOnlySpan<byte> message, uint transaction, MacAddress hardware) =>
        message.Length is < DhcpMessage.OptionsOffset or > DhcpMessage.MaxLength ? DhcpDrop.BadLength
        : message[0] != DhcpMessage.BootReply ? DhcpDrop.BadOperation
        : message[1] != DhcpMessage.Ethernet || message[2] != 6 ? DhcpDrop.BadHardwareType
        : BinaryPrimitives.ReadUInt32BigEndian(message[4..]) != transaction ? DhcpDrop.OtherTransaction
        : MacAddress.FromBytes(message[28..]) != hardware ? DhcpDrop.OtherStation
        : BinaryPrimitives.ReadUInt32BigEndian(message[(DhcpMessage.OptionsOffset - 4)..]) != DhcpMessage.Cookie ? DhcpDrop.BadCookie
        : DhcpDrop.None;

    private static DhcpDrop ReadOptions(ReadOnlySpan<byte> message, DhcpCounters counters, out DhcpAnswer? answer)
    {
        answer = null;
        var drop = DhcpOptions.Read(message, out var options);
        if (drop != DhcpDrop.None)
            return drop;
        if (options[DhcpOption.MessageType] is not [var number] || (DhcpMessageType)number is not (DhcpMessageType.Offer or DhcpMessageType.Ack or DhcpMessageType.Nak))
            return DhcpDrop.BadType;
        if (!options.TryRead32(DhcpOption.ServerIdentifier, out var server) || server is null || !CanBeAHosts(server.Value))
            return DhcpDrop.BadServer;
        var type = (DhcpMessageType)number;
        if (type == DhcpMessageType.Nak)
        {
            answer = new DhcpAnswer(type, IpAddress.FromV4(server.Value), null);
            return DhcpDrop.None;
        }

        drop = ReadLease(message, options, IpAddress.FromV4(server.Value), counters, out var lease);
        if (drop == DhcpDrop.None)
            answer = new DhcpAnswer(type, lease!.Server, lease);
        return drop;
    }

    private static DhcpDrop ReadLease(ReadOnlySpan<byte> message, DhcpOptions options, IpAddress server, DhcpCounters counters, out DhcpLease? lease)
    {
        lease = null;
        var own = BinaryPrimitives.ReadUInt32BigEndian(message[16..]);
        if (!CanBeAHosts(own))
            return DhcpDrop.BadAddress;
        if (!options.TryRead32(DhcpOption.SubnetMask, out var mask) || !TryReadMask(mask, own, out var length))
            return DhcpDrop.BadMask;
        var address = new IpPrefix(IpAddress.FromV4(own), length);
        if (length < 31 && (address.Address == address.Network || address.Address == address.Broadcast))
            return DhcpDrop.BadAddress;
        if (!options.TryRead32(DhcpOption.LeaseTime, out var seconds) || seconds is null || seconds < DhcpLease.ShortestLifetime.TotalSeconds)
            return DhcpDrop.BadLeaseTime;
        if (!options.TryRead32(DhcpOption.RenewalTime, out var first) || !options.TryRead32(DhcpOption.RebindingTime, out var second)
            || !options.TryRead32(DhcpOption.BroadcastAddress, out var broadcast))
            return DhcpDrop.BadOption;
        if (!DhcpValues.TryReadRoutes(options, address, counters, out var routes) || !DhcpValues.TryReadNameServers(options[DhcpOption.DomainNameServer], counters, out var nameServers)
            || !DhcpValues.TryReadMtu(options, counters, out var mtu))
            return DhcpDrop.BadOption;
        if (broadcast is { } given && IpAddress.FromV4(given) is var group && group != address.Broadcast && !group.IsLimitedBroadcast)
            counters.Count(DhcpDrop.BadBroadcast);
        var (lifetime, renewal, rebinding) = Times(seconds.Value, first, second);
        lease = new DhcpLease(address, server)
        {
            Lifetime = lifetime,
            RenewalTime = renewal,
            RebindingTime = rebinding,
            Routes = routes,
            NameServers = nameServers,
            Domains = DhcpValues.ReadDomains(options, counters),
            Mtu = mtu,
            Message = message.ToArray(),
        };
        return DhcpDrop.None;
    }

    /// <summary>What the server says where it makes sense (T1 &lt; T2 &lt; lease), and half and seven eighths otherwise (RFC 2131, 4.4.5).</summary>
    private static (TimeSpan Lifetime, TimeSpan Renewal, TimeSpan Rebinding) Times(uint seconds, uint? first, uint? second)
    {
        if (seconds == uint.MaxValue)
            return (DhcpLease.Endless, DhcpLease.Endless, DhcpLease.Endless);
        var rebinding = second > 0 && second < seconds ? second.Value : seconds / 8.0 * 7;
        var half = seconds / 2.0 < rebinding ? seconds / 2.0 : rebinding / 2;
        var renewal = first > 0 && first < rebinding ? first.Value : half;
        return (TimeSpan.FromSeconds(seconds), TimeSpan.FromSeconds(renewal), TimeSpan.FromSeconds(rebinding));
    }

    /// <summary>Without a mask that of the address's class counts (RFC 950).</summary>
    private static bool TryReadMask(uint? mask, uint own, out int length)
    {
        length = own >> 31 == 0 ? 8 : own >> 30 == 2 ? 16 : 24;
        if (mask is not { } given)
            return true;
        length = BitOperations.LeadingZeroCount(~given);
        return length >= LeastMask && (length == 32 || given << length == 0);
    }

    /// <summary>Not of "this network", loopback, a group, or reserved (RFC 6890).</summary>
    internal static bool CanBeAHosts(uint address) => address >> 24 is not (0 or 127 or >= 224);
}
