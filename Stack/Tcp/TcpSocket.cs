using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

public sealed class TcpSocket : StackSocket
{
    public TcpState State => throw new NotSupportedException();

    public IpEndpoint Local => throw new NotSupportedException();

    public IpEndpoint Remote => throw new NotSupportedException();

    public StackError Error => throw new NotSupportedException();

    public int SendRoom => throw new NotSupportedException();

    public TcpInfo Info => throw new NotSupportedException();

    public bool NoDelay { get; set; }

    public PacketBuffer? Read(out int bytes, out bool endOfStream) => throw new NotSupportedException();

    public void Consumed(int bytes, Instant now) => throw new NotSupportedException();

    public void ShutdownReceive(Instant now) => throw new NotSupportedException();

    public StackError Write(PacketBuffer data, Instant now) => throw new NotSupportedException();

    public int TakeAcknowledged() => throw new NotSupportedException();

    public void ShutdownSend(Instant now) => throw new NotSupportedException();

    public void Close(Instant now) => throw new NotSupportedException();

    public void Abort(Instant now) => throw new NotSupportedException();
}
