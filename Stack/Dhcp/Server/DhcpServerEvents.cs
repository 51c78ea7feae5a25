using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>An address that a station has.</summary>
/// <param name="Name">As the station calls itself, letters, digits, '-', '_' and '.' only; empty: it does not say.</param>
/// <param name="Expires">When it is over, unless the station asks again.</param>
public sealed record ServedLease(IpAddress Address, MacAddress Hardware, string Name, Instant Expires);

/// <summary>How a lease has ended.</summary>
public enum ServedEnd
{
    Released,
    Expired,

    /// <summary>The station has found that another one has the address.</summary>
    Declined,
}

/// <summary>What a server asks its owner to do, and tells it.</summary>
public abstract record DhcpServerEvent;

/// <summary>Send a message to port 68.</summary>
/// <param name="Destination">The station's address, or 255.255.255.255.</param>
/// <param name="Hardware">Its Ethernet address, as it does not answer for the address yet; null: all stations.</param>
public sealed record DhcpServerSend(ReadOnlyMemory<byte> Message, IpAddress Destination, MacAddress? Hardware) : DhcpServerEvent;

/// <summary>A station has got an address that it did not have.</summary>
public sealed record DhcpServed(ServedLease Lease) : DhcpServerEvent;

public sealed record DhcpServedEnds(ServedLease Lease, ServedEnd End) : DhcpServerEvent;
