using Tapwire.Stack.Ip;

namespace Tapwire.Wires;

/// <summary>Sees the datagrams that a tunnel consists of, on their way to the host's network and from it.</summary>
public interface ITunnelObserver
{
    /// <summary>Datagrams of one size have passed; the last one may be shorter.</summary>
    /// <param name="from">Its address is unspecified where the host has chosen it.</param>
    /// <param name="to">Its address is unspecified where the host has not told it.</param>
    /// <param name="bytes">Only until this returns.</param>
    void Passed(IpEndpoint from, IpEndpoint to, byte trafficClass, ReadOnlySpan<byte> bytes, int size, bool isInbound);
}
