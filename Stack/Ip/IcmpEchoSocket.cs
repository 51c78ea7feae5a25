using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Ip;

/// <summary>What came of one echo request.</summary>
/// <param name="From">Who answered: the destination, or the router that refused.</param>
/// <param name="Error">None for an echo reply; otherwise why the request was refused.</param>
/// <param name="Bytes">Payload bytes of the reply.</param>
public readonly record struct IcmpEchoResult(
    IpAddress From, ushort Identifier, ushort Sequence, StackError Error, int Bytes, byte HopLimit, TimeSpan RoundTrip);

/// <summary>Sends echo requests and collects what comes of them ("ping"). Event: Readable. A request that nothing answers leaves no trace; the owner decides how long it waits.</summary>
public sealed class IcmpEchoSocket : StackSocket
{
    /// <summary>Chosen by the stack at random, different from those of all other open echo sockets.</summary>
    public ushort Identifier { get; }

    /// <summary>Sends one echo request.</summary>
    /// <param name="payload">Copied.</param>
    /// <returns>None; NetworkUnreachable; MessageTooLong beyond the MTU; NoBufferSpace while egress is full; AddressFamilyNotSupported.</returns>
    public StackError Send(IpAddress destination, ushort sequence, ReadOnlySpan<byte> payload, Instant now) => throw new NotSupportedException();

    public bool TryReceive(out IcmpEchoResult result) => throw new NotSupportedException();

    public void Close() => throw new NotSupportedException();
}
