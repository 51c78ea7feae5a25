using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

public sealed class TcpListener : StackSocket
{
    public IpEndpoint Local { get; }

    public int Backlog { get; }

    public TcpSocket? Accept() => throw new NotSupportedException();

    public void Close(Instant now) => throw new NotSupportedException();
}
