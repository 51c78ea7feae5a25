using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Forwarding;

/// <summary>An echo request to another host, which waits for that host's answer. Its holder gives it back by <see cref="StackForwarder.Answer"/>, or releases it.</summary>
public sealed class ForwardedEcho
{
    internal readonly PacketBuffer Packet;
    internal readonly IpReceiveInfo Info;

    internal ForwardedEcho(PacketBuffer packet, in IpReceiveInfo info)
    {
        Packet = packet;
        Info = info;
    }

    /// <summary>The host that is asked.</summary>
    public IpAddress Destination => Info.Destination;

    /// <summary>Bytes of payload. The headers of both families' requests are of one length.</summary>
    public int Size => Packet.Length - Icmpv4Header.Length;

    /// <summary>Gives the request up.</summary>
    public void Release() => Packet.Release();
}
