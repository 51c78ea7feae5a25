using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Forwarding;

/// <summary>One direction of a flow through a translator.</summary>
/// <param name="Near">The host behind the translator, or the translator's own address and port. Of echo messages the identifier is the port.</param>
/// <param name="Remote">The other end; of echo messages without a port.</param>
internal readonly record struct NatFlow(byte Protocol, IpEndpoint Near, IpEndpoint Remote)
{
    /// <summary>With the seed of the process, so that nobody can choose flows that share a place in a table.</summary>
    public override int GetHashCode() => HashCode.Combine(Near.Address.Halves, Remote.Address.Halves, (uint)Near.Port << 16 | Remote.Port, Protocol);
}

/// <summary>A host's port, and the translator's that stands for it: the same to every peer (RFC 4787, REQ-1).</summary>
internal sealed class NatMapping(byte protocol, IpEndpoint inner, IpEndpoint outer, NetworkInterface egress)
{
    public byte Protocol => protocol;

    public IpEndpoint Inner => inner;

    public IpEndpoint Outer => outer;

    public NetworkInterface Egress => egress;

    /// <summary>Flows that use it.</summary>
    public int Sessions { get; set; }
}

/// <summary>A flow between a host behind the translator and a peer.</summary>
internal sealed class NatSession(Masquerade owner, NatMapping mapping, IpEndpoint remote, Instant now) : Timer
{
    // RFC 5382, REQ-5: a connection that stands, and one that is opening or closing. RFC 4787, REQ-5; RFC 5508, REQ-2.
    private static readonly TimeSpan Established = TimeSpan.FromMinutes(124);
    private static readonly TimeSpan Transitory = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan Datagrams = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Unanswered = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Echo = TimeSpan.FromMinutes(1);

    private Instant _used = now;
    private bool _isAnswered;
    private bool _isClosing;

    public NatMapping Mapping => mapping;

    public IpEndpoint Remote => remote;

    public NatFlow Outbound => new(mapping.Protocol, mapping.Inner, remote);

    public NatFlow Inbound => new(mapping.Protocol, mapping.Outer, remote);

    /// <summary>When nobody has used it for too long.</summary>
    public Instant Until => _used + mapping.Protocol switch
    {
        IpProtocol.Tcp => _isAnswered && !_isClosing ? Established : Transitory,
        IpProtocol.Udp => _isAnswered ? Datagrams : Unanswered,
        _ => Echo,
    };

    /// <summary>A packet has passed.</summary>
    /// <param name="tcpFlags">0 for another protocol's.</param>
    public void Passed(bool isInbound, TcpFlags tcpFlags, Instant now)
    {
        _used = now;
        _isAnswered |= isInbound;
        if ((tcpFlags & (TcpFlags.Fin | TcpFlags.Rst)) != 0)
            _isClosing = true;
        else if ((tcpFlags & TcpFlags.Syn) != 0)
            _isClosing = false;
        if (!IsArmed || Until < Deadline)
            owner.Arm(this);
    }

    protected internal override void Fire(Instant now)
    {
        if (now >= Until)
            owner.Remove(this);
        else
            owner.Arm(this);
    }
}
