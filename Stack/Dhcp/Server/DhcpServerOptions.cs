using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>What a DHCP server gives to the stations of one interface.</summary>
public sealed record DhcpServerOptions
{
    /// <summary>The server's own address with the length of its network's prefix, 1..30: all addresses of that network but <see cref="Reserved"/> are given away.</summary>
    public required IpPrefix Address { get; init; }

    /// <summary>Addresses that are not given away; the server's own is not, either.</summary>
    public IReadOnlyList<IpAddress> Reserved { get; init; } = [];

    /// <summary>The way out; null: there is none.</summary>
    public IpAddress? Router { get; init; }

    public IReadOnlyList<IpAddress> NameServers { get; init; } = [];

    /// <summary>Domains in which short names are looked for; the first one is that of the stations.</summary>
    public IReadOnlyList<string> Domains { get; init; } = [];

    /// <summary>The longest IP packet of the network in bytes; 0: not said.</summary>
    public int Mtu { get; init; }

    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>Leases and offers at once.</summary>
    public int MostLeases { get; init; } = 1024;

    /// <summary>Keys the choice of addresses, so that a station gets the same one from start to start, and nobody can choose whose it gets: <see cref="SecretLength"/> bytes.</summary>
    public required ReadOnlyMemory<byte> Secret { get; init; }

    public const int SecretLength = 16;

    /// <summary>Accepted lease times and numbers of leases.</summary>
    public static class Ranges
    {
        public static ValueRange<TimeSpan> LeaseTime { get; } = new(TimeSpan.FromMinutes(2), TimeSpan.FromDays(365));

        public static ValueRange<int> MostLeases { get; } = new(1, 65536);
    }
}
