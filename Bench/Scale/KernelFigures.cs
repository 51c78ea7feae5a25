using System.Text.Json;

namespace Tapwire.Bench.Scale;

/// <summary>What kernel sockets at the other end of a TAP have seen. Times are in microseconds, memory, the driver's, in bytes.</summary>
internal sealed record KernelFigures
{
    public required int Connections { get; init; }
    public required int Active { get; init; }
    public required double Connect { get; init; }

    /// <summary>Median of the first byte there and back of each connection.</summary>
    public required double FirstEcho { get; init; }
    public required double RoundTripP50 { get; init; }
    public required double RoundTripP99 { get; init; }
    public required long ResidentBefore { get; init; }
    public required long Resident { get; init; }

    public static KernelFigures Parse(string line) => JsonSerializer.Deserialize<KernelFigures>(line)!;

    /// <summary>One line, which <see cref="Parse"/> reads.</summary>
    public override string ToString() => JsonSerializer.Serialize(this);
}
