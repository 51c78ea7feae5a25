using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Udp;

/// <summary>UDP (RFC 768).</summary>
public sealed class UdpLayer
{
    /// <summary>Sockets there are.</summary>
    public int Count { get; private set; }

    /// <summary>Makes a socket on a local address.</summary>
    /// <param name="local">One of the stack's addresses or unspecified for all; port 0 lets the stack choose.</param>
    /// <returns>None, AddressInUse, AddressNotAvailable, NoBufferSpace.</returns>
    public StackError Bind(IpEndpoint local, in UdpSocketOptions options, Instant now, out UdpSocket? socket)
    {
        throw new NotSupportedException();
    }
}
