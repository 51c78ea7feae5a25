namespace Tapwire.Stack.Dhcp;

/// <summary>Kinds of DHCP messages (RFC 2132, 9.6).</summary>
public enum DhcpMessageType : byte
{
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
}

/// <summary>Options that this client reads or writes (RFC 2132; RFC 3397; RFC 3442).</summary>
public enum DhcpOption : byte
{
    Pad = 0,
    SubnetMask = 1,
    Router = 3,
    DomainNameServer = 6,
    HostName = 12,
    DomainName = 15,
    InterfaceMtu = 26,
    BroadcastAddress = 28,
    RequestedAddress = 50,
    LeaseTime = 51,
    Overload = 52,
    MessageType = 53,
    ServerIdentifier = 54,
    ParameterRequestList = 55,
    MaximumMessageSize = 57,
    RenewalTime = 58,
    RebindingTime = 59,
    ClientIdentifier = 61,
    DomainSearch = 119,
    ClasslessStaticRoute = 121,
    End = 255,
}

/// <summary>Why a message, or a part of one, was not used.</summary>
public enum DhcpDrop
{
    /// <summary>Nothing was wrong with it.</summary>
    None,

    /// <summary>Shorter than the fixed fields and the cookie, or longer than <see cref="DhcpMessage.MaxLength"/>.</summary>
    BadLength,

    /// <summary>No BOOTREPLY.</summary>
    BadOperation,

    /// <summary>Another kind or length of hardware address than Ethernet's.</summary>
    BadHardwareType,

    /// <summary>For another transaction: late, for somebody else, or a guess.</summary>
    OtherTransaction,

    /// <summary>For another station.</summary>
    OtherStation,

    /// <summary>No DHCP: the magic cookie is not there (RFC 2131, 3).</summary>
    BadCookie,

    /// <summary>An option goes beyond the end of its field.</summary>
    OptionPastEnd,

    /// <summary>The options of a field do not end (RFC 2131, 4.1).</summary>
    NoEnd,

    /// <summary>An option whose length cannot be, or that contradicts itself.</summary>
    BadOption,

    /// <summary>No message type, or one that servers do not send.</summary>
    BadType,

    /// <summary>No server identifier, or an address that no server can have.</summary>
    BadServer,

    /// <summary>The address is unspecified, a loopback or group address, reserved, or that of a network or its broadcast.</summary>
    BadAddress,

    /// <summary>The subnet mask has holes, or is shorter than eight bits.</summary>
    BadMask,

    /// <summary>No lease time, or one shorter than <see cref="DhcpLease.ShortestLifetime"/>.</summary>
    BadLeaseTime,

    /// <summary>A message that this state of the client does not expect, such as a second offer.</summary>
    NotExpected,

    /// <summary>From another server than the one that was asked.</summary>
    OtherServer,

    /// <summary>Another address than the one that was asked for.</summary>
    OtherAddress,

    /// <summary>A part, the rest is used: a router that is not on the link, or a route that cannot be.</summary>
    BadRouter,

    /// <summary>A part, the rest is used: the address of a name server that cannot be one.</summary>
    BadNameServer,

    /// <summary>A part, the rest is used: a domain that is none.</summary>
    BadDomain,

    /// <summary>A part, the rest is used: an MTU below <see cref="DhcpLease.LeastMtu"/>.</summary>
    BadMtu,

    /// <summary>A part, the rest is used: a broadcast address that is not the network's.</summary>
    BadBroadcast,

    /// <summary>DHCPv6: its sender's address is not of the link.</summary>
    BadSource,

    /// <summary>DHCPv6: for another client, or for none (its client identifier: RFC 8415, 16).</summary>
    OtherClient,

    /// <summary>DHCPv6: a server wants the client to ask at once (Reconfigure). This client never agrees to that (RFC 8415, 20.4), as anybody on the link could say so.</summary>
    Reconfigure,

    /// <summary>DHCPv6: the server cannot, or does not want to, give what was asked for (RFC 8415, 21.13).</summary>
    BadStatus,

    /// <summary>DHCPv6: there is no address in it that could be used.</summary>
    NoAddress,
}
