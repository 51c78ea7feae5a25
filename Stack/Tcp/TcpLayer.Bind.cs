using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <content>Ports that are reserved before it is known what for (bind).</content>
public sealed partial class TcpLayer
{
    /// <summary>Reserves a port, under the rules of <see cref="Listen(IpEndpoint, int, in TcpSocketOptions, out TcpListener?)"/>.</summary>
    /// <param name="binding">Null unless None is returned.</param>
    public StackError Bind(IpEndpoint local, bool reuseAddress, out TcpBinding? binding)
    {
        var error = Reserve(local, new TcpSocketOptions { ReuseAddress = reuseAddress }, out var place);
        binding = place is null ? null : new TcpBinding(place);
        return error;
    }

    /// <summary>Begins an active open from a reserved port, which is used up by it, also if it fails.</summary>
    public StackError Connect(IpEndpoint remote, TcpBinding binding, in TcpSocketOptions options, Instant now, out TcpSocket? socket)
    {
        socket = null;
        if (binding.Use() is not { } place)
            return StackError.InvalidArgument;
        Remove(place);
        return Connect(remote, place.Local, options, now, out socket);
    }

    /// <summary>Opens a reserved port, which is used up by it.</summary>
    public StackError Listen(TcpBinding binding, int backlog, in TcpSocketOptions options, out TcpListener? listener)
    {
        listener = binding.Use();
        if (listener is null)
            return StackError.InvalidArgument;
        listener.BeginListening(backlog, options);
        return StackError.None;
    }
}
