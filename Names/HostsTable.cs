using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>Names with addresses that no server is asked for, as in hosts(5). The first name of a line is the host's own; lines of one name add up.</summary>
public sealed class HostsTable
{
    /// <summary>The longest text in bytes, and the most lines with an address that are read of it.</summary>
    public const int MaxBytes = 1 << 20;

    public const int MaxLines = 1 << 16;

    /// <summary>Addresses of one name; further ones are ignored.</summary>
    private const int MaxAddresses = 64;

    public static readonly HostsTable Empty = new();

    private readonly Dictionary<DnsName, (DnsName Host, List<IpAddress> Addresses)> _addresses = [];
    private readonly Dictionary<IpAddress, DnsName> _names = [];

    public int Count => _addresses.Count;

    /// <param name="entries">A name may be there several times.</param>
    public static HostsTable Of(IEnumerable<(DnsName Name, IpAddress Address)> entries)
    {
        var table = new HostsTable();
        foreach (var (name, address) in entries)
            table.Add(name, name, address);
        return table;
    }

    /// <summary>Reads the format of hosts(5). As in glibc, a line that is wrong, and an address with a zone, are left out.</summary>
    public static HostsTable Parse(ReadOnlySpan<char> text)
    {
        var table = new HostsTable();
        var lines = 0;
        foreach (var each in text.EnumerateLines())
        {
            var line = each.IndexOf('#') is >= 0 and var comment ? each[..comment] : each;
            if (lines == MaxLines)
                break;
            lines += table.AddLine(line) ? 1 : 0;
        }

        return table;
    }

    /// <returns>Null: the name is not in the table.</returns>
    public (DnsName Host, IReadOnlyList<IpAddress> Addresses)? Find(DnsName name) => _addresses.TryGetValue(name, out var found) ? (found.Host, found.Addresses) : null;

    /// <returns>Null: no line has the address.</returns>
    public DnsName? Find(IpAddress address) => _names.GetValueOrDefault(address);

    private bool AddLine(ReadOnlySpan<char> line)
    {
        var address = default(IpAddress?);
        var host = default(DnsName?);
        foreach (var range in line.SplitAny(' ', '\t', '\r'))
        {
            var word = line[range];
            if (word.IsEmpty)
                continue;
            if (address is null)
            {
                if (!IpAddress.TryParse(word, null, out var parsed))
                    return false;
                address = parsed;
            }
            else if (word.Length <= DnsName.MaxLength && DnsName.TryParse(word.ToString(), out var name))
            {
                Add(host ??= name, name, address.Value);
            }
        }

        return host is not null;
    }

    private void Add(DnsName host, DnsName name, IpAddress address)
    {
        if (!_addresses.TryGetValue(name, out var entry))
            _addresses[name] = entry = (host, []);
        if (entry.Addresses.Count < MaxAddresses && !entry.Addresses.Contains(address))
            entry.Addresses.Add(address);
        _names.TryAdd(address, host);
    }
}
