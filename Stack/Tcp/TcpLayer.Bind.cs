using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <content>Ports that are reserved before it is known what for (bind).</content>
public sealed partial class TcpLayer
{
    /// <summary>Reserves a port, under the rules of <see cref="Listen"/>.</summary>
    /// <param name="binding">Null unless None is returned.</param>
    public StackError Bind(IpEndpoint local, bool reuseAddress, out TcpBinding? binding)
    {
        var error = Reserve(local, new TcpSocketOptions { ReuseAddress = reuseAddress }, out var place);
        binding = place is null ? null : new TcpBinding(place);
        return error;
    }
}
