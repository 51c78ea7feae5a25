namespace Tapwire.Stack.Interfaces;

/// <summary>Stateless address autoconfiguration of an interface (RFC 4862): addresses and routes from router advertisements.</summary>
public sealed record AutoconfigurationOptions
{
    /// <summary>Beside its stable address the interface has a random one in each prefix, which packets leave from and which changes every day (RFC 8981).</summary>
    public bool UsesTemporaryAddresses { get; init; }

    /// <summary>The secret of the stable addresses (RFC 7217, 5): 16 bytes that nobody else knows, and that stay the same from start to start. Shards have the same.</summary>
    public ReadOnlyMemory<byte> Secret { get; init; }

    /// <summary>How long a temporary address is used, 10 min..30 days (TEMP_PREFERRED_LIFETIME of RFC 8981, 3.8).</summary>
    public TimeSpan TemporaryPreferred { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How long it is kept for the connections that use it, up to 60 days (TEMP_VALID_LIFETIME).</summary>
    public TimeSpan TemporaryValid { get; init; } = TimeSpan.FromDays(2);
}
