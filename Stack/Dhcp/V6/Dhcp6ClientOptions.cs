namespace Tapwire.Stack.Dhcp.V6;

/// <summary>What a client says of itself.</summary>
public sealed record Dhcp6ClientOptions
{
    /// <summary>By it a server knows the client again: 1..<see cref="Dhcp6.MaxDuid"/> bytes (RFC 8415, 11).</summary>
    public required ReadOnlyMemory<byte> Duid { get; init; }

    /// <summary>The interface among those of the client (RFC 8415, 12): the same at every start.</summary>
    public required uint Association { get; init; }

    /// <inheritdoc cref="DhcpClientOptions.HostName"/>
    public string HostName { get; init; } = "";

    /// <summary>The routers of the link decide what is asked for (<see cref="Dhcp6Client.Follow"/>); otherwise an address is.</summary>
    public bool FollowsRouters { get; init; }
}
