using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>What a server's message says of one name and type.</summary>
internal static class AnswerReading
{
    /// <summary>Aliases from the first name to the last, in all messages together; more is a loop, or a trap.</summary>
    public const int MaxAliases = 16;

    /// <summary>Addresses of one answer; further ones are ignored.</summary>
    private const int MaxAddresses = 256;

    /// <param name="aliases">Aliases that have led to the name.</param>
    /// <returns>Null: the server does not know, or says something that cannot be.</returns>
    public static Reading? Read(DnsMessage message, DnsName name, DnsType type, int aliases)
    {
        var lifetime = uint.MaxValue;
        var at = name;
        while (Find(message, at, DnsType.CanonicalName) is { } alias)
        {
            if (++aliases > MaxAliases)
                return null;
            lifetime = Math.Min(lifetime, alias.Lifetime);
            at = alias.Target!;
        }

        // The code is about the end of the aliases (RFC 2308, 2.1).
        if (message.Code == DnsResponseCode.NoSuchName)
            return Negative(LookupResult.NoSuchName);
        var records = message.Answers.Where(record => record.Type == type && record.Owner.Equals(at)).Take(MaxAddresses).ToList();
        if (records.Count > 0)
            return Found(records, at, type, Math.Min(lifetime, records.Min(static record => record.Lifetime)), aliases);
        if (at.Equals(name) && !message.IsAuthoritative && !message.OffersRecursion)
            return null; // a server that does not look things up for others, as glibc takes it
        return at.Equals(name) || HasAuthority() ? Negative(LookupResult.NoData) : new Reading(null, at, Seconds(lifetime), aliases);

        bool HasAuthority() => message.Authority.Any(record => record.Type == DnsType.StartOfAuthority && at.IsIn(record.Owner));

        // Without the zone's record nobody knows how long it holds (RFC 2308, 5).
        Reading Negative(LookupResult result)
        {
            var zone = message.Authority.Where(record => record.Type == DnsType.StartOfAuthority && at.IsIn(record.Owner)).Select(static record => record.NegativeLifetime);
            return new Reading(DnsAnswer.Failed(result, Seconds(Math.Min(lifetime, zone.FirstOrDefault()))), at, default, aliases);
        }
    }

    private static Reading? Found(List<DnsRecord> records, DnsName at, DnsType type, uint lifetime, int aliases)
    {
        if (type == DnsType.Pointer)
        {
            var target = records.Find(static record => record.Target!.IsHostName).Target;
            return target is null ? null : new Reading(new DnsAnswer(LookupResult.Found, [], target, Seconds(lifetime)), at, default, aliases);
        }

        if (!at.IsHostName)
            return null;
        // An IPv6 address in which an IPv4 address is mapped is no host's (RFC 4291, 2.5.5.2), and would get round what is allowed of one family.
        IpAddress[] addresses = [.. records.Select(static record => record.Address).Where(address => address.IsV4 == (type == DnsType.A)).Distinct()];
        var result = addresses.Length == 0 ? LookupResult.NoData : LookupResult.Found;
        return new Reading(new DnsAnswer(result, addresses, at, Seconds(lifetime)), at, default, aliases);
    }

    private static DnsRecord? Find(DnsMessage message, DnsName owner, DnsType type)
    {
        foreach (var record in message.Answers)
        {
            if (record.Type == type && record.Owner.Equals(owner))
                return record;
        }

        return null;
    }

    private static TimeSpan Seconds(uint seconds) => TimeSpan.FromSeconds(seconds);
}

/// <summary>What a message says.</summary>
/// <param name="Answer">Null: the name is an alias of <paramref name="Name"/>, and somebody has to be asked for that.</param>
/// <param name="Lifetime">How long the aliases may be kept, without an answer.</param>
/// <param name="Aliases">Aliases so far.</param>
internal readonly record struct Reading(DnsAnswer? Answer, DnsName Name, TimeSpan Lifetime, int Aliases);
