using System.Buffers.Binary;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>A server's message, read strictly. A part of little weight that is wrong (a name server, one address of several) is left out and counted; any other fault costs the message.</summary>
/// <param name="Type">Advertise or Reply.</param>
/// <param name="Server">The DUID of who has sent it.</param>
internal sealed record Dhcp6Answer(Dhcp6MessageType Type, byte[] Server)
{
    private const int LeastAssociation = 12;
    private const int LeastAddress = 24;

    /// <summary>2^32 - 1 seconds are for ever (RFC 8415, 7.7).</summary>
    private const uint Infinite = uint.MaxValue;

    /// <summary>Of the whole message.</summary>
    public Dhcp6Status Status { get; private init; }

    /// <summary>Of the client's addresses.</summary>
    public Dhcp6Status AssociationStatus { get; private init; }

    /// <summary>Null: no address in it can be used.</summary>
    public Dhcp6Lease? Lease { get; private init; }

    /// <summary>Addresses that the server takes back: their lifetime is zero.</summary>
    public IReadOnlyList<IpAddress> Removed { get; private init; } = [];

    public byte Preference { get; private init; }

    public bool RapidCommit { get; private init; }

    public IReadOnlyList<IpAddress> NameServers { get; private init; } = [];

    public IReadOnlyList<string> Domains { get; private init; } = [];

    /// <summary>SOL_MAX_RT and INF_MAX_RT; null: not said, or out of bounds.</summary>
    public TimeSpan? SolicitMaxRt { get; private init; }

    /// <inheritdoc cref="SolicitMaxRt"/>
    public TimeSpan? InformationMaxRt { get; private init; }

    /// <summary>When stateless configuration is to be asked for again; <see cref="DhcpLease.Endless"/>: never.</summary>
    public TimeSpan Refresh { get; private init; } = Dhcp6Times.Refresh;

    /// <summary>Reads a message. Never throws.</summary>
    /// <param name="transaction">The only one whose answers are read.</param>
    /// <param name="client">The client's DUID.</param>
    /// <param name="association">The client's IAID.</param>
    /// <param name="counters">Counts what is left out.</param>
    public static DhcpDrop Read(ReadOnlySpan<byte> message, uint transaction, ReadOnlySpan<byte> client, uint association, DhcpCounters counters, out Dhcp6Answer? answer)
    {
        answer = null;
        if (message.Length is < Dhcp6.HeaderLength or > Dhcp6.MaxLength)
            return DhcpDrop.BadLength;
        var type = (Dhcp6MessageType)message[0];
        if (type == Dhcp6MessageType.Reconfigure)
            return DhcpDrop.Reconfigure;
        if (type is not (Dhcp6MessageType.Advertise or Dhcp6MessageType.Reply))
            return DhcpDrop.BadType;
        if (TransactionOf(message) != transaction)
            return DhcpDrop.OtherTransaction;
        var options = message[Dhcp6.HeaderLength..];
        if (!Dhcp6Options.AreWellFormed(options))
            return DhcpDrop.OptionPastEnd;
        // RFC 8415, 16.3 and 16.10.
        if (!Dhcp6Options.Find(options, Dhcp6Option.ClientIdentifier, out var clients).SequenceEqual(client) || clients != 1)
            return DhcpDrop.OtherClient;
        var server = Dhcp6Options.Find(options, Dhcp6Option.ServerIdentifier, out var servers);
        if (servers != 1 || server.Length is 0 or > Dhcp6.MaxDuid)
            return DhcpDrop.BadServer;
        return ReadOptions(message, new Dhcp6Answer(type, server.ToArray()), association, counters, out answer);
    }

    /// <summary>Reads a message that was kept, whose transaction nobody knows any more.</summary>
    /// <returns>Null: it is not what a lease was read from.</returns>
    public static Dhcp6Lease? ReadKept(ReadOnlySpan<byte> message, uint association)
    {
        if (message.Length < Dhcp6.HeaderLength || !Dhcp6Options.AreWellFormed(message[Dhcp6.HeaderLength..]))
            return null;
        var client = Dhcp6Options.Find(message[Dhcp6.HeaderLength..], Dhcp6Option.ClientIdentifier, out _);
        return Read(message, TransactionOf(message), client, association, new DhcpCounters(), out var answer) == DhcpDrop.None && answer!.Type == Dhcp6MessageType.Reply ? answer.Lease : null;
    }

    private static uint TransactionOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt32BigEndian(message) & 0xFF_FFFF;

    private static DhcpDrop ReadOptions(ReadOnlySpan<byte> message, Dhcp6Answer empty, uint association, DhcpCounters counters, out Dhcp6Answer? answer)
    {
        answer = null;
        var options = message[Dhcp6.HeaderLength..];
        if (!TryReadStatus(options, out var status) || !TryReadNumber(options, Dhcp6Option.Preference, 1, out var preference) || !TryReadNumber(options, Dhcp6Option.RapidCommit, 0, out var rapid)
            || !TryReadNumber(options, Dhcp6Option.SolicitMaxRt, 4, out var solicit) || !TryReadNumber(options, Dhcp6Option.InformationMaxRt, 4, out var information)
            || !TryReadNumber(options, Dhcp6Option.InformationRefreshTime, 4, out var refresh))
            return DhcpDrop.BadOption;
        var servers = Dhcp6Options.Find(options, Dhcp6Option.NameServers, out _);
        if (servers.Length % 16 != 0)
            return DhcpDrop.BadOption;
        var read = empty with
        {
            Status = status,
            Preference = (byte)(preference ?? 0),
            RapidCommit = rapid is not null,
            NameServers = ReadNameServers(servers, counters),
            Domains = ReadDomains(Dhcp6Options.Find(options, Dhcp6Option.DomainSearch, out _), counters),
            SolicitMaxRt = MaxRtOf(solicit),
            InformationMaxRt = MaxRtOf(information),
            Refresh = refresh is { } seconds ? RefreshOf(seconds) : Dhcp6Times.Refresh,
        };
        return read.ReadAssociation(message, association, counters, out answer);
    }

    private DhcpDrop ReadAssociation(ReadOnlySpan<byte> message, uint association, DhcpCounters counters, out Dhcp6Answer? answer)
    {
        answer = this;
        var options = message[Dhcp6.HeaderLength..];
        while (Dhcp6Options.TryTake(ref options, out var option, out var value))
        {
            if (option != Dhcp6Option.NonTemporaryAddresses)
                continue;
            if (value.Length < LeastAssociation || !Dhcp6Options.AreWellFormed(value[LeastAssociation..]) || !TryReadStatus(value[LeastAssociation..], out var status))
            {
                answer = null;
                return DhcpDrop.BadOption;
            }

            // Somebody else's, for all that is known.
            if (BinaryPrimitives.ReadUInt32BigEndian(value) != association)
                continue;
            var (first, second) = (BinaryPrimitives.ReadUInt32BigEndian(value[4..]), BinaryPrimitives.ReadUInt32BigEndian(value[8..]));
            // RFC 8415, 21.4: such an association is ignored.
            if (first > second && second > 0)
            {
                counters.Count(DhcpDrop.BadLeaseTime);
                continue;
            }

            var (addresses, removed) = ReadAddresses(value[LeastAssociation..], counters);
            answer = this with { AssociationStatus = status, Removed = removed, Lease = addresses.Count == 0 ? null : LeaseOf(addresses, first, second, message) };
            return DhcpDrop.None;
        }

        return DhcpDrop.None;
    }

    private static (List<Dhcp6Address> Addresses, List<IpAddress> Removed) ReadAddresses(ReadOnlySpan<byte> options, DhcpCounters counters)
    {
        var (addresses, removed) = (new List<Dhcp6Address>(), new List<IpAddress>());
        while (Dhcp6Options.TryTake(ref options, out var option, out var value))
        {
            if (option != Dhcp6Option.Address)
                continue;
            if (value.Length < LeastAddress || !Dhcp6Options.AreWellFormed(value[LeastAddress..]) || !TryReadStatus(value[LeastAddress..], out var status))
            {
                counters.Count(DhcpDrop.BadOption);
                continue;
            }

            var address = IpAddress.FromBytes(value[..16]);
            var (preferred, valid) = (BinaryPrimitives.ReadUInt32BigEndian(value[16..]), BinaryPrimitives.ReadUInt32BigEndian(value[20..]));
            if (!CanBeAHosts(address))
                counters.Count(DhcpDrop.BadAddress);
            else if (status != Dhcp6Status.Success)
                counters.Count(DhcpDrop.BadStatus);
            else if (preferred > valid || valid is > 0 && valid < DhcpLease.ShortestLifetime.TotalSeconds)
                counters.Count(DhcpDrop.BadLeaseTime);
            else if (valid == 0 && removed.Count < Dhcp6Lease.MostAddresses)
                removed.Add(address);
            else if (valid > 0 && addresses.Count < Dhcp6Lease.MostAddresses && !addresses.Exists(other => other.Address == address))
                addresses.Add(new Dhcp6Address(address, TimeOf(preferred), TimeOf(valid)));
        }

        return (addresses, removed);
    }

    /// <summary>What the server says where it makes sense, and else half and eight tenths of the shortest preferred lifetime (RFC 8415, 21.4); or of the valid one, if there is none.</summary>
    private Dhcp6Lease LeaseOf(List<Dhcp6Address> addresses, uint first, uint second, ReadOnlySpan<byte> message)
    {
        var lifetime = addresses.Max(static address => address.Valid);
        var shortest = addresses.Min(static address => address.Preferred > TimeSpan.Zero ? address.Preferred : address.Valid);
        if (shortest < DhcpLease.ShortestLifetime)
            shortest = DhcpLease.ShortestLifetime;
        var rebinding = TimeOf(second) >= 2 * Dhcp6Times.LeastRenewal && TimeOf(second) < lifetime ? TimeOf(second) : Part(shortest, 0.8);
        var renewal = first > 0 && TimeOf(first) < rebinding && TimeOf(first) >= Dhcp6Times.LeastRenewal ? TimeOf(first) : Part(shortest, 0.5);
        if (renewal >= rebinding)
            renewal = Part(rebinding, 0.5);
        return new Dhcp6Lease(Server, addresses)
        {
            RenewalTime = renewal,
            RebindingTime = rebinding,
            NameServers = NameServers,
            Domains = Domains,
            Message = message.ToArray(),
        };
    }

    private static TimeSpan Part(TimeSpan time, double part) => time == DhcpLease.Endless ? time : time * part;

    private static TimeSpan TimeOf(uint seconds) => seconds == Infinite ? DhcpLease.Endless : TimeSpan.FromSeconds(seconds);

    private static TimeSpan? MaxRtOf(uint? seconds) => seconds is >= Dhcp6Times.LeastMaxRt and <= Dhcp6Times.MostMaxRt ? TimeSpan.FromSeconds(seconds.Value) : null;

    private static TimeSpan RefreshOf(uint seconds)
    {
        var refresh = TimeOf(seconds);
        return refresh < Dhcp6Times.LeastRefresh ? Dhcp6Times.LeastRefresh : refresh;
    }

    /// <returns>False: it has another length, or is there twice.</returns>
    private static bool TryReadNumber(ReadOnlySpan<byte> options, Dhcp6Option option, int length, out uint? number)
    {
        var value = Dhcp6Options.Find(options, option, out var count);
        number = null;
        if (count == 0)
            return true;
        if (count > 1 || value.Length != length)
            return false;
        number = length switch
        {
            1 => value[0],
            4 => BinaryPrimitives.ReadUInt32BigEndian(value),
            _ => 0,
        };
        return true;
    }

    /// <summary>Where there is none, all is well (RFC 8415, 21.13). The text behind the code is for people, and whoever is on the link could write it: it is not used.</summary>
    private static bool TryReadStatus(ReadOnlySpan<byte> options, out Dhcp6Status status)
    {
        var value = Dhcp6Options.Find(options, Dhcp6Option.StatusCode, out var count);
        status = count == 0 || value.Length < 2 ? Dhcp6Status.Success : (Dhcp6Status)BinaryPrimitives.ReadUInt16BigEndian(value);
        return count == 0 || (count == 1 && value.Length >= 2);
    }

    private static List<IpAddress> ReadNameServers(ReadOnlySpan<byte> value, DhcpCounters counters)
    {
        var servers = new List<IpAddress>();
        for (; value.Length >= 16; value = value[16..])
        {
            var server = IpAddress.FromBytes(value[..16]);
            // A link-local server is one on this link (RFC 4861, 6.3.4 of routers' says the same).
            if (!CanBeAHosts(server) && !server.IsLinkLocal)
                counters.Count(DhcpDrop.BadNameServer);
            else if (servers.Count < DhcpLease.MostNameServers && !servers.Contains(server))
                servers.Add(server);
        }

        return servers;
    }

    /// <summary>Names without compression (RFC 8415, 10). After a malformed one nobody knows where the next begins; what was read before counts.</summary>
    private static List<string> ReadDomains(ReadOnlySpan<byte> value, DhcpCounters counters)
    {
        var domains = new List<string>();
        while (domains.Count < DhcpLease.MostDomains && DnsSearchList.TryTake(ref value, out var domain))
            domains.Add(domain);
        if (!value.IsEmpty && domains.Count < DhcpLease.MostDomains)
            counters.Count(DhcpDrop.BadDomain);
        return domains;
    }

    /// <summary>A global or unique local unicast address: a link-local one is nobody's to give.</summary>
    internal static bool CanBeAHosts(IpAddress address) => address.IsV6 && !(address.IsUnspecified || address.IsLoopback || address.IsMulticast || address.IsLinkLocal);
}
