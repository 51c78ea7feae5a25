namespace Tapwire.Stack.Ip;

/// <summary>Limits of ICMP.</summary>
public sealed class IcmpOptions
{
    /// <summary>ICMP errors sent per second on average, over all destinations, 0..1000000 (RFC 1812, 4.3.2.8); 0 sends none.</summary>
    public int ErrorsPerSecond { get; init; } = 1000;

    /// <summary>ICMP errors that may go out at once after a quiet time, on average, 1..10000.</summary>
    public int ErrorBurst { get; init; } = 50;

    /// <summary>Echo requests of one socket that await an answer, and answers that wait to be read, 1..65536; the oldest gives way.</summary>
    public int EchoOutstanding { get; init; } = 1024;

    internal void Validate()
    {
        Ranges.ErrorsPerSecond.Check(ErrorsPerSecond, nameof(ErrorsPerSecond));
        Ranges.ErrorBurst.Check(ErrorBurst, nameof(ErrorBurst));
        Ranges.EchoOutstanding.Check(EchoOutstanding, nameof(EchoOutstanding));
    }

    /// <summary>What each option may be.</summary>
    public static class Ranges
    {
        public static ValueRange<int> ErrorsPerSecond { get; } = new(0, 1_000_000);

        public static ValueRange<int> ErrorBurst { get; } = new(1, 10_000);

        public static ValueRange<int> EchoOutstanding { get; } = new(1, 65536);
    }
}
