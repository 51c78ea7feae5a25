namespace Tapwire.Stack.Forwarding;

/// <summary>Bounds of address translation (<see cref="Masquerade"/>).</summary>
public sealed class NatOptions
{
    /// <summary>Flows at once, 16..1048576; one more is refused.</summary>
    public int Sessions { get; init; } = 16384;

    /// <summary>Flows of one host at once, 1..1048576; one more is refused, so that a single host cannot have all.</summary>
    public int SessionsPerHost { get; init; } = 4096;

    internal void Validate()
    {
        Ranges.Sessions.Check(Sessions, nameof(Sessions));
        Ranges.SessionsPerHost.Check(SessionsPerHost, nameof(SessionsPerHost));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Sessions { get; } = new(16, 1 << 20);

        public static ValueRange<int> SessionsPerHost { get; } = new(1, 1 << 20);
    }
}
