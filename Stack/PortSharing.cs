using Tapwire.Stack.Ip;

namespace Tapwire.Stack;

/// <summary>With which other sockets one may share its local address and port (bind(2); Linux: inet_csk_bind_conflict, udp_lib_lport_inuse).</summary>
public readonly record struct PortSharing
{
    /// <summary>SO_REUSEADDR: shares with sockets that have it too, as long as none of them listens.</summary>
    public bool ReuseAddress { get; init; }

    /// <summary>SO_REUSEPORT: shares with sockets of the same <see cref="Owner"/> that have it too. Connections, or datagrams, are spread among them.</summary>
    public bool ReusePort { get; init; }

    /// <summary>The user who has the socket: nobody else's socket may join his, and take a part of his connections.</summary>
    public uint Owner { get; init; }

    /// <summary>IPV6_V6ONLY of a socket on the IPv6 wildcard: it leaves IPv4 to others.</summary>
    public bool IsV6Only { get; init; }

    /// <summary>Whether sockets on the same address are one group, among which what arrives is spread.</summary>
    internal bool IsGroupOf(in PortSharing other) => SharesPort(other) && IsV6Only == other.IsV6Only;

    /// <summary>Whether a socket receives what is sent to an own address.</summary>
    /// <param name="bound">The address that the socket is bound to.</param>
    internal bool Covers(IpAddress bound, IpAddress address)
    {
        if (!bound.IsUnspecified)
            return bound == address;
        return address.IsV4 ? !IsV6Only : bound == IpAddress.Unspecified;
    }

    /// <summary>Whether two sockets, each with its address, can receive the same.</summary>
    internal static bool Overlap(IpAddress one, in PortSharing ones, IpAddress other, in PortSharing others) =>
        one == other || ones.Covers(one, other) || others.Covers(other, one);

    internal bool SharesPort(in PortSharing other) => ReusePort && other.ReusePort && Owner == other.Owner;
}
