using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>Anyone → StackActor: send one ICMP echo request. Answered once by <see cref="PingAnswer"/>, after the reply, an error, or the time-out.</summary>
/// <param name="Size">Payload bytes, 0 up to what the MTU allows.</param>
public sealed record Ping(IpAddress Destination, int Size, TimeSpan Timeout)
{
    /// <inheritdoc cref="Connect.Zone"/>
    public string? Zone { get; init; }
}

/// <summary>StackActor → who asked: the round trip, or the reason why there was none.</summary>
public sealed record PingAnswer(StackError Error, IpAddress From, TimeSpan RoundTrip, byte HopLimit, int Size);
