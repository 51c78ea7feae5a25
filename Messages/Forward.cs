using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Messages;

/// <summary>GuestActor → its StackActor, once: what the guest sends to others is told to the sender from now on, as <see cref="ForwardHandshake"/>, <see cref="ForwardDatagram"/> and
/// <see cref="ForwardEcho"/>. No answer.</summary>
public sealed class TakeForwarded
{
    public static readonly TakeForwarded Instance = new();

    private TakeForwarded()
    {
    }
}

/// <summary>
/// StackActor → GuestActor: the guest's SYN to that destination waits. Answered by <see cref="AcceptForwarded"/> or <see cref="RefuseForwarded"/>, once it is known what the
/// destination says.
/// </summary>
/// <param name="Source">The guest's end.</param>
public sealed record ForwardHandshake(IpEndpoint Source, IpEndpoint Destination);

/// <summary>
/// GuestRelayActor → StackActor: the destination has accepted, so answer the SYN. Answered by <see cref="Connected"/> at once, and then by the connection's events, or by
/// <see cref="Closed"/>.
/// </summary>
public sealed record AcceptForwarded(IpEndpoint Source, IpEndpoint Destination, TcpSocketOptions Options);

/// <summary>GuestActor or GuestRelayActor → StackActor: tell the guest why its SYN leads nowhere. No answer.</summary>
/// <param name="Reason">A reason that no host or router would send is silence.</param>
public sealed record RefuseForwarded(IpEndpoint Source, IpEndpoint Destination, StackError Reason);

/// <summary>StackActor → GuestActor, and on to the actor of the flow: a datagram of the guest's.</summary>
/// <param name="DontFragment">The guest wants to know if it is too long for the path.</param>
public sealed record ForwardDatagram(PacketBuffer Data, IpEndpoint Source, IpEndpoint Destination, bool DontFragment = false) : IOwnsBuffers, IDeadLetterSuppression
{
    /// <summary>Passed on as a router passes it on.</summary>
    public UdpSendOptions SendOptions => new() { MtuDiscovery = DontFragment ? MtuDiscovery.Do : MtuDiscovery.Dont };

    public void Release() => Data.Release();
}

/// <summary>GuestFlowActor → StackActor: a datagram for the guest. No answer; without room it is dropped and counted.</summary>
/// <param name="From">The sender that the guest sees.</param>
/// <param name="To">The guest's end.</param>
public sealed record ReturnDatagram(PacketBuffer Data, IpEndpoint From, IpEndpoint To) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Data.Release();
}

/// <summary>GuestFlowActor → StackActor: tell the guest why a datagram has not arrived. No answer.</summary>
/// <param name="Source">The guest's end.</param>
/// <param name="Mtu">With MessageTooLong: the largest packet that arrives, in bytes.</param>
public sealed record RefuseDatagram(IpEndpoint Source, IpEndpoint Destination, StackError Reason, int Mtu = 0) : IDeadLetterSuppression;

/// <summary>StackActor → GuestActor: an echo request of the guest's. Answered by <see cref="AnswerEcho"/>.</summary>
public sealed record ForwardEcho(ForwardedEcho Echo) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Echo.Release();
}

/// <summary>GuestEchoActor → StackActor: what the host that was asked has answered.</summary>
/// <param name="Result">None for a reply.</param>
public sealed record AnswerEcho(ForwardedEcho Echo, StackError Result) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release() => Echo.Release();
}
