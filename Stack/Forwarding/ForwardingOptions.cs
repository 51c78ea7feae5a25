namespace Tapwire.Stack.Forwarding;

/// <summary>
/// Makes a stack the way out of one host: it takes what that host sends to any address, and its owner decides what becomes of it. A sender of the stack's own may have any
/// address but that host's.
/// </summary>
public sealed class ForwardingOptions
{
    /// <summary>The host's addresses, the only sources that are accepted. Of a family in which it has none, nothing is taken.</summary>
    public required GuestAddresses Guest { get; init; }

    /// <summary>SYNs that may wait for the owner's decision, 1..65536; one more is dropped.</summary>
    public int Handshakes { get; init; } = 1024;

    /// <summary>Datagrams that may wait for the owner to take them, 1..65536; one more is dropped.</summary>
    public int Datagrams { get; init; } = 1024;

    /// <summary>Echo requests that may wait for the owner to take them, 1..65536; one more is dropped.</summary>
    public int Echoes { get; init; } = 64;

    internal void Validate()
    {
        Ranges.Limit.Check(Handshakes, nameof(Handshakes));
        Ranges.Limit.Check(Datagrams, nameof(Datagrams));
        Ranges.Limit.Check(Echoes, nameof(Echoes));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Limit { get; } = new(1, 65536);
    }
}
