using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>An entry of the layer's table, under a pair of endpoints: a connection, one in SYN-RECEIVED, or one in TIME-WAIT. The entry is also its own
/// timer.</summary>
internal abstract class TcpEntry : Timer
{
    public readonly IpAddress LocalAddress;
    public readonly IpAddress RemoteAddress;
    public readonly ushort LocalPort;
    public readonly ushort RemotePort;
    public readonly uint Hash;
    public TcpEntry? Chain;

    protected TcpEntry(in TcpPair pair, uint hash)
    {
        LocalAddress = pair.Local.Address;
        RemoteAddress = pair.Remote.Address;
        LocalPort = pair.Local.Port;
        RemotePort = pair.Remote.Port;
        Hash = hash;
    }

    public TcpPair Pair => new(new IpEndpoint(LocalAddress, LocalPort), new IpEndpoint(RemoteAddress, RemotePort));

    public bool Is(in TcpPair pair) =>
        RemotePort == pair.Remote.Port && LocalPort == pair.Local.Port && RemoteAddress == pair.Remote.Address && LocalAddress == pair.Local.Address;
}

/// <summary>The two endpoints that identify a connection (RFC 9293, 3.4.1).</summary>
internal readonly record struct TcpPair(IpEndpoint Local, IpEndpoint Remote);
