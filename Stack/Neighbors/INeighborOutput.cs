using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Neighbors;

/// <summary>The output of the neighbour table: address resolution requests (ARP for IPv4), and packets to resolved neighbours.</summary>
internal interface INeighborOutput
{
    /// <summary>Sends one request.</summary>
    /// <param name="knownAddress">Null asks everybody.</param>
    void Solicit(IpAddress target, MacAddress? knownAddress);

    /// <summary>A neighbour has not answered.</summary>
    void Unreachable(IpAddress neighbor);

    /// <summary>Frames a packet, sends it and takes it over.</summary>
    void Transmit(PacketBuffer packet, MacAddress destination);
}
