using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// A reserved local port, as after bind(2). Only those with whom it is shared can bind it too, and a SYN to it is answered with RST. It becomes a listener or a connection, or is
/// released.
/// </summary>
public sealed class TcpBinding : StackSocket
{
    private readonly TcpListener _place;
    private bool _used;

    internal TcpBinding(TcpListener place) => _place = place;

    /// <summary>The address, which may be a wildcard, and the port.</summary>
    public IpEndpoint Local => _place.Local;

    /// <summary>Releases the port, unless it has been used.</summary>
    public void Release()
    {
        if (_used)
            return;
        _used = true;
        _place.Layer.Ports.Remove(_place);
    }

    /// <summary>Begins an active open from the port. That uses the binding up, also on failure.</summary>
    /// <returns>As <see cref="TcpLayer.Connect"/>; InvalidArgument when the binding has been used before.</returns>
    public StackError Connect(IpEndpoint remote, in TcpSocketOptions options, Instant now, out TcpSocket? socket)
    {
        socket = null;
        if (_used)
            return StackError.InvalidArgument;
        var error = _place.Layer.Connect(remote, Local, options, now, out socket);

        // After the connection has the port, so that the other shards learn of it.
        Release();
        return error;
    }

    /// <summary>Listens on the port, and uses the binding up.</summary>
    /// <returns>None; InvalidArgument when the binding has been used before; AddressInUse: another socket with SO_REUSEADDR listens on the port by now, and the
    /// binding is as before.</returns>
    public StackError Listen(int backlog, in TcpSocketOptions options, out TcpListener? listener)
    {
        listener = null;
        if (_used)
            return StackError.InvalidArgument;
        var error = _place.BeginListening(backlog, options);
        if (error != StackError.None)
            return error;
        _used = true;
        listener = _place;
        return StackError.None;
    }
}
