using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Tcp;

/// <summary>TCP of one stack (RFC 9293).</summary>
public sealed class TcpLayer
{
    internal TcpLayer(TcpOptions options, IIpOutput ip, SocketEventQueue events, TimerWheel timers, KeyedRandom random, TcpCounters counters)
    {
        options.Validate();
        Counters = counters;
    }

    public TcpCounters Counters { get; }

    public int Count => 0;

    internal bool OutputPending => false;

    internal void Receive(PacketBuffer segment, in IpReceiveInfo info, Instant now) => throw new NotSupportedException();

    internal void ErrorReceived(in IpReceiveInfo quoted, ReadOnlySpan<byte> quotedHeader, IcmpErrorKind kind, int mtu, Instant now) =>
        throw new NotSupportedException();

    internal void Unreachable(IpAddress destination, StackError error, Instant now) => throw new NotSupportedException();

    internal void AddressRemoved(IpAddress address, Instant now) => throw new NotSupportedException();

    internal void Output(Instant now) => throw new NotSupportedException();

    public StackError Connect(IpEndpoint remote, IpEndpoint local, in TcpSocketOptions options, Instant now, out TcpSocket? socket) =>
        throw new NotSupportedException();

    public StackError Listen(IpEndpoint local, int backlog, in TcpSocketOptions options, out TcpListener? listener) =>
        throw new NotSupportedException();
}
