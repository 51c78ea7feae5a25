using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>Kinds of DHCPv6 messages (RFC 8415, 7.3).</summary>
public enum Dhcp6MessageType : byte
{
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    Reconfigure = 10,
    InformationRequest = 11,
}

/// <summary>Options that this client reads or writes (RFC 8415, 21; RFC 3646; RFC 4704).</summary>
public enum Dhcp6Option : ushort
{
    ClientIdentifier = 1,
    ServerIdentifier = 2,
    NonTemporaryAddresses = 3,
    Address = 5,
    OptionRequest = 6,
    Preference = 7,
    ElapsedTime = 8,
    StatusCode = 13,
    RapidCommit = 14,
    NameServers = 23,
    DomainSearch = 24,
    InformationRefreshTime = 32,
    ClientName = 39,
    SolicitMaxRt = 82,
    InformationMaxRt = 83,
}

/// <summary>What servers say of a request (RFC 8415, 21.13).</summary>
public enum Dhcp6Status : ushort
{
    Success = 0,
    UnspecFail = 1,
    NoAddrsAvail = 2,
    NoBinding = 3,
    NotOnLink = 4,
    UseMulticast = 5,
}

/// <summary>Numbers of the protocol.</summary>
public static class Dhcp6
{
    public const ushort ClientPort = 546;
    public const ushort ServerPort = 547;

    /// <summary>Type and transaction.</summary>
    public const int HeaderLength = 4;

    /// <summary>The longest message that is read.</summary>
    public const int MaxLength = 1500;

    /// <summary>Bytes of a DUID (RFC 8415, 11.1: 128, and two of type).</summary>
    public const int MaxDuid = 130;

    /// <summary>ff02::1:2, All_DHCP_Relay_Agents_and_Servers (RFC 8415, 7.1).</summary>
    public static readonly IpAddress Servers = IpAddress.FromHalves(0xFF02_0000_0000_0000, 0x1_0002);

    /// <summary>DUID-LL (RFC 8415, 11.4): the name of a client that can keep none, of its Ethernet address.</summary>
    public static byte[] DuidOf(Interfaces.MacAddress hardware)
    {
        byte[] duid = [0, 3, 0, 1, 0, 0, 0, 0, 0, 0];
        hardware.CopyTo(duid.AsSpan(4));
        return duid;
    }
}
