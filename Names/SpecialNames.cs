using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>Names that are no matter of servers.</summary>
internal static class SpecialNames
{
    private static readonly IpAddress LoopbackV6 = IpAddress.Parse("::1");

    private static readonly DnsName Localhost = Of("localhost");

    /// <summary>RFC 6761, 6.4; RFC 7686, 2; RFC 6762, 3: nobody may be asked for them, except for those of .local whom the settings name.</summary>
    private static readonly DnsName[] Forbidden = [Of("invalid"), Of("onion"), Of("local")];

    /// <summary>The answer to a question that no server is asked. RFC 6761, 6.3: localhost and what is in it is the host itself.</summary>
    /// <param name="domain">The domain whose servers would be asked; null without any. Settings may give those of a special name.</param>
    /// <returns>Null: servers are asked.</returns>
    public static DnsAnswer? Answer(DnsName name, DnsType type, DnsName? domain)
    {
        if (name.IsIn(Localhost))
        {
            return type switch
            {
                DnsType.A => new DnsAnswer(LookupResult.Found, [IpAddress.LoopbackV4], name, default),
                DnsType.Aaaa => new DnsAnswer(LookupResult.Found, [LoopbackV6], name, default),
                _ => DnsAnswer.Failed(LookupResult.NoData),
            };
        }

        var special = Array.Find(Forbidden, name.IsIn);
        return special is not null && domain?.IsIn(special) != true ? DnsAnswer.Failed(LookupResult.NoSuchName) : null;
    }

    private static DnsName Of(string text) => DnsName.TryParse(text, out var name) ? name : DnsName.Root;
}
