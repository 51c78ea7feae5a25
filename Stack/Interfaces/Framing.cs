using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;

namespace Tapwire.Stack.Interfaces;

/// <summary>The outcome of a received frame.</summary>
internal enum FrameDelivery
{
    /// <summary>The frame was for the medium itself (ARP), or was dropped.</summary>
    Consumed,

    /// <summary>The buffer now begins with an IPv4 packet that was sent to this station alone.</summary>
    Ipv4,

    /// <summary>The buffer now begins with an IPv4 packet that was sent to a group of stations.</summary>
    Ipv4Group,

    /// <summary>The buffer now begins with an IPv6 packet that was sent to this station alone.</summary>
    Ipv6,

    /// <summary>The buffer now begins with an IPv6 packet that was sent to a group of stations.</summary>
    Ipv6Group,
}

/// <summary>The medium of an interface: removes the frame header from what it receives, and frames packets for a next hop.</summary>
internal abstract class Framing
{
    /// <summary>Bytes before the IP header.</summary>
    public abstract int HeaderLength { get; }

    /// <summary>Removes the header of a frame. Unless the frame is consumed, the buffer stays the caller's.</summary>
    public abstract FrameDelivery Receive(PacketBuffer frame, Instant now);

    /// <summary>Sends an IP packet to a station on the medium, and takes its buffer over.</summary>
    /// <param name="destination">The role of the destination address; never one of the stack's own.</param>
    public abstract void Send(PacketBuffer packet, IpAddress nextHop, AddressKind destination, Instant now);

    /// <summary>What the medium knows of its neighbours, in address order.</summary>
    public virtual IReadOnlyList<NeighborInfo> NeighborsAt(Instant now) => [];

    /// <summary>Makes a neighbour permanent.</summary>
    /// <returns>None; NotSupported: the medium has no neighbours; NoBufferSpace: there are too many.</returns>
    public virtual StackError SetNeighbor(IpAddress address, MacAddress hardware, Instant now) => StackError.NotSupported;

    /// <returns>False: there is no such neighbour.</returns>
    public virtual bool ForgetNeighbor(IpAddress address) => false;

    /// <summary>The hardware address of a neighbour; null if it is not known, or the medium has none.</summary>
    public virtual MacAddress? FindNeighbor(IpAddress address) => null;

    /// <summary>Confirms that a neighbour is reachable: a transport has received an answer by way of it.</summary>
    public virtual void ConfirmReachable(IpAddress nextHop, Instant now)
    {
    }

    /// <summary>The interface has a new address: announces it, or looks whether another station has it.</summary>
    public virtual void AddressAdded(IpAddress address, Instant now)
    {
    }

    /// <summary>Receives a message of IPv6 neighbour discovery, which only a medium with neighbours has.</summary>
    /// <param name="message">The ICMPv6 message, its checksum verified.</param>
    /// <returns>False: the medium has no neighbours.</returns>
    public virtual bool ReceiveNeighborDiscovery(ReadOnlySpan<byte> message, in IpReceiveInfo info, Instant now) => false;

    /// <summary>Sends a router advertisement, if the medium has neighbours.</summary>
    /// <param name="message">With a checksum of zero.</param>
    /// <param name="hardware">The station that it is for; null: all.</param>
    public virtual void AdvertiseRouter(ReadOnlySpan<byte> message, IpAddress source, IpAddress destination, MacAddress? hardware)
    {
    }

    /// <summary>Asks the link's routers to advertise themselves, if the medium has neighbours.</summary>
    public virtual void SolicitRouters()
    {
    }

    /// <summary>Takes an own address that another station has, too (RFC 4862, 5.4.5): it must not be used.</summary>
    public virtual bool TryTakeDuplicate(out IpAddress address, out MacAddress holder)
    {
        address = default;
        holder = default;
        return false;
    }

    public virtual void AddressRemoved(IpAddress address)
    {
    }

    /// <summary>Takes a packet whose next hop does not answer. The packet begins with its IP header and belongs to the caller.</summary>
    public virtual bool TryTakeUndeliverable([NotNullWhen(true)] out PacketBuffer? packet)
    {
        packet = null;
        return false;
    }

    /// <summary>Takes the neighbours that have changed their hardware address.</summary>
    /// <returns>False: there are none.</returns>
    public virtual bool TryTakeMoved(ICollection<IpAddress> moved) => false;

    /// <summary>Forgets all neighbours and the packets that wait for them.</summary>
    public virtual void ForgetNeighbors()
    {
    }

    public virtual IReadOnlyList<NeighborInfo> Neighbors => [];
}
