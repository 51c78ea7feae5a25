namespace Tapwire.Stack.Dhcp.Server;

/// <summary>Why a server has not answered a message, or has refused what it asked for.</summary>
public enum DhcpServerDrop
{
    /// <summary>Nothing was wrong with it.</summary>
    None,

    /// <summary>Shorter than the fixed fields and the cookie, or longer than <see cref="DhcpMessage.MaxLength"/>.</summary>
    BadLength,

    /// <summary>No BOOTREQUEST.</summary>
    BadOperation,

    /// <summary>Another kind or length of hardware address than Ethernet's, or one that no station has.</summary>
    BadHardware,

    /// <summary>No DHCP: the magic cookie is not there (RFC 2131, 3).</summary>
    BadCookie,

    /// <summary>Options that go beyond their field, do not end, or have lengths that cannot be.</summary>
    BadOption,

    /// <summary>No message type, or one that clients do not send.</summary>
    BadType,

    /// <summary>By a relay: this server has one network.</summary>
    Relayed,

    /// <summary>For another server.</summary>
    OtherServer,

    /// <summary>All addresses are given away.</summary>
    NoAddress,

    /// <summary>All places for leases are taken.</summary>
    NoRoom,

    /// <summary>The address that was asked for is another station's, or none of the network: refused by DHCPNAK.</summary>
    Refused,

    /// <summary>Given back, or declined, by a station that does not have it.</summary>
    NotItsAddress,

    /// <summary>DHCPv6: a message of which this server has no part: it gives no addresses.</summary>
    NotServed,
}

/// <summary>What a server has done since it was made.</summary>
public sealed class DhcpServerCounters
{
    private static readonly DhcpServerDrop[] Reasons = Enum.GetValues<DhcpServerDrop>();

    private readonly long[] _drops = new long[Reasons.Length];

    /// <summary>Messages of clients.</summary>
    public long Received { get; internal set; }

    /// <summary>Answers.</summary>
    public long Sent { get; internal set; }

    public long this[DhcpServerDrop reason] => _drops[(int)reason];

    /// <summary>The reasons that there have been, with their numbers.</summary>
    public IEnumerable<KeyValuePair<DhcpServerDrop, long>> Drops => Reasons.Where(reason => _drops[(int)reason] != 0).Select(reason => KeyValuePair.Create(reason, _drops[(int)reason]));

    internal void Count(DhcpServerDrop reason) => _drops[(int)reason]++;
}
