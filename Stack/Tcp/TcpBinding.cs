using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A reserved local port, as after bind(2): nobody else can bind it, and a SYN to it is answered with RST. It becomes a listener or a connection, or is released.
/// </summary>
public sealed class TcpBinding : StackSocket
{
    private readonly TcpListener _place;
    private bool _used;

    internal TcpBinding(TcpListener place) => _place = place;

    /// <summary>The address, which may be a wildcard, and the port.</summary>
    public IpEndpoint Local => _place.Local;

    /// <summary>Gives the port back, unless it has been used.</summary>
    public void Release()
    {
        if (_used)
            return;
        _used = true;
        _place.Layer.Remove(_place);
    }

    /// <summary>The place among the listeners, for the one use that a binding has; null after that.</summary>
    internal TcpListener? Use()
    {
        if (_used)
            return null;
        _used = true;
        return _place;
    }
}
