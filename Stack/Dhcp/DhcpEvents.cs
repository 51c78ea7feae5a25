using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>States of a client (RFC 2131, Figure 5, and the test of RFC 5227 before an address is used).</summary>
public enum DhcpState
{
    /// <summary>Waits before it asks (again).</summary>
    Init,

    /// <summary>Has asked all servers for an offer.</summary>
    Selecting,

    /// <summary>Has asked a server for what it has offered.</summary>
    Requesting,

    /// <summary>Has asked all servers whether it may go on with the address that it had before.</summary>
    Rebooting,

    /// <summary>Asks the neighbours whether one of them has the address that was granted.</summary>
    Probing,

    /// <summary>Has the address.</summary>
    Bound,

    /// <summary>Has the address, and asks its server for more time.</summary>
    Renewing,

    /// <summary>Has the address, and asks all servers for more time.</summary>
    Rebinding,

    /// <summary>Its owner has stopped it.</summary>
    Stopped,
}

/// <summary>Why a client has its address no longer.</summary>
public enum DhcpLoss
{
    /// <summary>No server has given more time.</summary>
    Expired,

    /// <summary>A server says that it must not have it (DHCPNAK).</summary>
    Refused,
}

/// <summary>What a client asks its owner to do, or tells it. Dequeued in order.</summary>
public abstract record DhcpEvent;

/// <summary>Send a message to port 67.</summary>
/// <param name="Source">0.0.0.0, or the leased address.</param>
/// <param name="Destination">255.255.255.255 on the interface, or a server.</param>
public sealed record DhcpSend(ReadOnlyMemory<byte> Message, IpAddress Source, IpAddress Destination) : DhcpEvent;

/// <summary>Ask the neighbours for an address (RFC 5227, 2.1.1), and tell <see cref="DhcpClient.AddressHeard"/> of whoever has it.</summary>
public sealed record DhcpProbe(IpAddress Address) : DhcpEvent;

/// <summary>The interface has a lease from now on, or has got more time.</summary>
/// <param name="Before">What it had until now; null: nothing.</param>
public sealed record DhcpBound(DhcpLease Lease, DhcpLease? Before) : DhcpEvent;

/// <summary>The interface has no lease any more: address, routes and name servers go.</summary>
public sealed record DhcpLost(DhcpLease Lease, DhcpLoss Reason) : DhcpEvent;

/// <summary>A server refuses what was asked for (DHCPNAK).</summary>
public sealed record DhcpRefused(IpAddress Server) : DhcpEvent;

/// <summary>The address that was granted is a neighbour's; the server has been told (DHCPDECLINE).</summary>
public sealed record DhcpDeclined(IpAddress Address, MacAddress By) : DhcpEvent;

/// <summary>Nobody has answered so far. Told once for each time that an address is looked for.</summary>
public sealed record DhcpUnanswered : DhcpEvent;

/// <summary>The address has been given back.</summary>
public sealed record DhcpReleased(DhcpLease Lease) : DhcpEvent;
