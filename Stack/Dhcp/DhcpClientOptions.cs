using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Dhcp;

/// <summary>What a client says of itself.</summary>
public sealed record DhcpClientOptions
{
    /// <summary>The interface's Ethernet address.</summary>
    public required MacAddress Hardware { get; init; }

    /// <summary>Type and identifier (RFC 2132, 9.14; RFC 4361, 6.1), up to <see cref="DhcpMessage.MaxText"/> bytes. By it a server knows the client again, also with another Ethernet address.</summary>
    public required ReadOnlyMemory<byte> ClientIdentifier { get; init; }

    /// <summary>The name that servers may enter for the client, in ASCII, up to <see cref="DhcpMessage.MaxText"/> bytes; empty: none.</summary>
    public string HostName { get; init; } = "";

    /// <summary>The interface's MTU in bytes, 68..65535.</summary>
    public int Mtu { get; init; } = 1500;
}
