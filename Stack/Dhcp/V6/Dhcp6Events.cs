using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>States of a client (RFC 8415, 18.2).</summary>
public enum Dhcp6State
{
    /// <summary>No router says that there is something to be asked for.</summary>
    Idle,

    /// <summary>Asks all servers for an address, and collects what they advertise.</summary>
    Soliciting,

    /// <summary>Has asked a server for what it has advertised, or does not know any more.</summary>
    Requesting,

    /// <summary>Asks whether the address that it had before fits the link.</summary>
    Confirming,

    /// <summary>Has an address.</summary>
    Bound,

    /// <summary>Has an address, and asks its server for more time.</summary>
    Renewing,

    /// <summary>Has an address, and asks all servers for more time.</summary>
    Rebinding,

    /// <summary>Tells the server that somebody else has the address.</summary>
    Declining,

    /// <summary>Asks for everything but an address (stateless: RFC 8415, 18.2.6).</summary>
    Informing,

    /// <summary>Has got that.</summary>
    Informed,

    /// <summary>Its owner has stopped it.</summary>
    Stopped,
}

/// <summary>What the routers of the link say about DHCPv6 (RFC 4861, 4.2), the later ones including the earlier.</summary>
public enum RouterAdvice : byte
{
    /// <summary>Nothing so far.</summary>
    None,

    /// <summary>Everything but addresses is to be had by it (the O flag).</summary>
    OtherConfiguration,

    /// <summary>So are addresses (the M flag).</summary>
    Addresses,
}

/// <summary>Send a message to port 547 of <see cref="Dhcp6.Servers"/>, from the interface's link-local address.</summary>
public sealed record Dhcp6Send(ReadOnlyMemory<byte> Message) : DhcpEvent;

/// <summary>The interface is to be configured so from now on.</summary>
public sealed record Dhcp6Configured(Dhcp6Configuration Configuration) : DhcpEvent;

/// <summary>The interface has a lease from now on, or has got more time.</summary>
/// <param name="Before">What it had until now; null: nothing.</param>
public sealed record Dhcp6Bound(Dhcp6Lease Lease, Dhcp6Lease? Before) : DhcpEvent;

/// <summary>Everything but addresses has been told by a server, for the first time or anew.</summary>
public sealed record Dhcp6Told(IReadOnlyList<IpAddress> NameServers, IReadOnlyList<string> Domains) : DhcpEvent;

/// <summary>The interface has no address of the lease any more.</summary>
public sealed record Dhcp6Lost(Dhcp6Lease Lease, DhcpLoss Reason) : DhcpEvent;

/// <summary>A server does not give what was asked for.</summary>
public sealed record Dhcp6Refused(Dhcp6Status Status) : DhcpEvent;

/// <summary>Another station has the address; the server is told.</summary>
public sealed record Dhcp6Declined(IpAddress Address) : DhcpEvent;

/// <summary>The addresses have been given back.</summary>
public sealed record Dhcp6Released(Dhcp6Lease Lease) : DhcpEvent;
