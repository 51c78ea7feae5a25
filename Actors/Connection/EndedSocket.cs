using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Connection;

/// <summary>What is left of a TCP socket that has ended: names, SO_ERROR and options, as Linux keeps them until the last descriptor is closed.</summary>
/// <param name="defaults">The stack's options, for those that nobody has set.</param>
/// <param name="wasConnected">There was a connection; false: connecting, or listening, has ended without one.</param>
/// <param name="wasEarly">The application was told of the connection before its handshake was done, and that never happened.</param>
internal sealed class EndedSocket(SocketProperties properties, TcpSocketOptions defaults, bool wasConnected, bool wasEarly = false) : IEndedSocket
{
    private SocketProperties _properties = properties;

    public LinkAnswer Answer(LinkSocketRequest request) => request switch
    {
        GetSockNameRequest name => name.Named(_properties.LocalName),
        SetOptionRequest set => _properties.Set(set),
        GetOptionRequest get => _properties.Get(get, defaults),
        ConnectRequest { AwaitHandshake: true } connect when wasEarly => connect.Failed(_properties.TakeError() is not StackError.None and var error ? error : StackError.NotConnected),
        ConnectRequest connect => connect.Failed(wasConnected ? StackError.AlreadyConnected : StackError.NotConnected),
        BindRequest or ListenRequest => request.Failed(StackError.InvalidArgument),
        CloseRequest close => close.Done(),
        _ => request.Failed(StackError.NotConnected),
    };
}
