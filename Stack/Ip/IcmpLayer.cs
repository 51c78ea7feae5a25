namespace Tapwire.Stack.Ip;

/// <summary>ICMP (RFC 792, RFC 1122 3.2.2): answers echo requests, sends and takes errors, and serves echo sockets.</summary>
public sealed class IcmpLayer
{
    /// <summary>Makes a socket for echo requests.</summary>
    /// <returns>None, or NoBufferSpace when all 65,536 identifiers are taken.</returns>
    public StackError Open(out IcmpEchoSocket? socket) => throw new NotSupportedException();
}
