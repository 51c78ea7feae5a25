using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;

namespace Tapwire.Stack.Interfaces;

/// <summary>
/// One attachment of a stack to a network: its medium, addresses and neighbours, and the frames that wait for the wire. Made by
/// <see cref="NetworkStack.AddInterface"/>. Only the owner of the stack may call it.
/// </summary>
/// <remarks>
/// Interfaces follow the strong host model (RFC 1122, 3.3.4.2): a packet is accepted only on the interface that has its destination address, and leaves only by
/// the interface that has its source address. Three things follow. The local address determines the interface of a connection for its whole life. A network
/// cannot reach the stack's addresses on other networks, which may trust it less than they trust this host. With a default route on each interface, an answer
/// leaves by the interface on which its question came.
/// </remarks>
public sealed class NetworkInterface
{
    internal NetworkInterface(byte index, InterfaceOptions options, BufferPool pool, StackCounters counters)
    {
        Index = index;
        Options = options;
        MtuLimit = options.Mtu;
        Egress = new EgressQueue(options, pool, counters);
        Own = new AddressTable();
    }

    /// <summary>The interface's index in the stack, below <see cref="NetworkStack.MaxInterfaces"/>. After the interface's removal another one may get it.</summary>
    public byte Index { get; }

    public InterfaceOptions Options { get; }

    /// <summary>The interface's addresses with their prefixes, in the order in which they were added.</summary>
    public IReadOnlyList<IpPrefix> Addresses => Own.Prefixes;

    /// <summary>A snapshot of the neighbour table, in address order.</summary>
    public IReadOnlyList<NeighborInfo> Neighbors => Framing.Neighbors;

    /// <summary>The same, where what is no longer confirmed is stale.</summary>
    public IReadOnlyList<NeighborInfo> NeighborsAt(Instant now) => Framing.NeighborsAt(now);

    /// <summary>Names a neighbour's hardware address, which is used from then on whatever anybody says.</summary>
    /// <returns>None; InvalidArgument: the address is no neighbour's, or the hardware address is a group's; NotSupported: the medium has no neighbours; NoBufferSpace: half of the table
    /// is such entries.</returns>
    public StackError SetNeighbor(IpAddress address, MacAddress hardware, Instant now) =>
        address.IsUnspecified || address.IsLoopback || Own.KindOf(address) != AddressKind.Other || hardware.IsGroup || hardware.Value == 0
            ? StackError.InvalidArgument
            : Framing.SetNeighbor(address, hardware, now);

    /// <summary>Forgets a neighbour, a permanent one too.</summary>
    /// <returns>False: there is none.</returns>
    public bool ForgetNeighbor(IpAddress address) => Framing.ForgetNeighbor(address);

    /// <summary>Forgets all neighbours but the permanent ones.</summary>
    public void FlushNeighbors() => Framing.ForgetNeighbors();

    /// <summary>True when frames wait to be taken.</summary>
    public bool HasFrames => !Egress.IsEmpty;

    /// <summary>
    /// True when the wire takes no frames for now. Transports then wait rather than queue, so that they decide late what to send. Frames that cannot wait are queued anyway.
    /// </summary>
    public bool IsHeldBack { get; set; }

    internal EgressQueue Egress { get; }

    internal AddressTable Own { get; }

    /// <summary>The medium's framing. The stack sets it once, after construction, because the framing's constructor needs the interface.</summary>
    internal Framing Framing { get; set; } = null!;

    /// <summary>Router discovery, where the interface is configured by routers.</summary>
    internal RouterDiscovery? Routers { get; set; }

    /// <summary>Takes an address that has come or gone with a prefix which routers advertise.</summary>
    public bool TryTakeAutoconfigured(out AutoconfiguredAddress change)
    {
        change = default;
        return Routers?.TryTakeChange(out change) == true;
    }

    /// <summary>Changes whenever <see cref="NameServers"/> or <see cref="SearchDomains"/> do.</summary>
    public int NamesVersion => Routers?.NamesVersion ?? 0;

    /// <summary>Name servers that routers have named (RFC 8106).</summary>
    public IEnumerable<IpAddress> NameServers => Routers?.Servers ?? [];

    /// <summary>Domains in which routers say that short names are to be looked for (RFC 8106).</summary>
    public IEnumerable<string> SearchDomains => Routers?.Domains ?? [];

    /// <summary>Largest IP packet in bytes as the network has said, 68 up to <see cref="InterfaceOptions.Mtu"/>, which it is at first; more counts as that. To be set
    /// before there are connections: what they send may be too long afterwards.</summary>
    public int MtuLimit
    {
        get;
        set
        {
            field = Math.Clamp(value, InterfaceOptions.Ranges.Mtu.Least, Options.Mtu);
            SuperFrame = Math.Max(Options.SuperFrame, field);
        }
    }

    internal int Mtu => MtuLimit;

    /// <summary>Largest packet of a family: routers may say that the link takes less than the device (RFC 4861, 6.3.4).</summary>
    internal int MtuOf(bool isV4) => isV4 || Routers is not { Mtu: > 0 and var advertised } ? Mtu : Math.Min(Mtu, advertised);

    /// <summary><see cref="SuperFrame"/>, or the MTU of a family where the device cuts nothing.</summary>
    internal int SuperFrameOf(bool isV4) => SuperFrame > Mtu ? SuperFrame : MtuOf(isV4);

    /// <summary>Largest IP packet that the device cuts into segments, in bytes; the MTU if it cuts none.</summary>
    internal int SuperFrame { get; private set; }

    /// <summary>Takes what comes to port 68; null unless the interface has a DHCP client.</summary>
    internal DhcpSocket? Dhcp { get; set; }

    /// <summary>Takes what comes to port 546; null unless the interface has a DHCPv6 client.</summary>
    internal Dhcp6Socket? Dhcp6 { get; set; }

    /// <summary>Takes what comes to port 67; null unless the interface has a DHCP server.</summary>
    internal DhcpServerSocket? DhcpServer { get; set; }

    /// <summary>Takes what comes to port 547; null unless the interface has a DHCPv6 server.</summary>
    internal Dhcp6ServerSocket? Dhcp6Server { get; set; }

    /// <summary>The router's side of router discovery, where the interface advertises itself.</summary>
    internal RouterAdvertiser? Advertiser { get; set; }

    /// <summary>What routers say about DHCPv6; null: the interface does not listen to them.</summary>
    public RouterAdvice? RouterAdvice => Routers?.Advice;

    /// <summary>Takes the next frame for the wire. The caller owns it.</summary>
    public bool TryDequeueFrame([NotNullWhen(true)] out PacketBuffer? frame) => Egress.TryDequeue(out frame);

    /// <summary>Drops the frames that wait for the wire: nobody takes them any more.</summary>
    public void DropFrames()
    {
        while (TryDequeueFrame(out var frame))
            frame.Release();
    }

    /// <summary>Reports the groups that the stack is in to the network.</summary>
    internal Action<Instant>? AnnounceGroups { get; set; }

    /// <summary>Announces all addresses and groups on a wire that has come up again.</summary>
    public void Announce(Instant now)
    {
        // RFC 4862, 5.4.2: switches that listen to the reports pass on what answers duplicate address detection.
        AnnounceGroups?.Invoke(now);
        foreach (var prefix in Own.Prefixes)
            Framing.AddressAdded(prefix.Address, now);
    }

    /// <summary>
    /// Handles a wire that has gone down. The wire may come up on another network, so all neighbours are forgotten. Packets that wait for a neighbour are dropped, like
    /// those in flight on the wire.
    /// </summary>
    public void WireDown() => Framing.ForgetNeighbors();

    public override string ToString() => Options.Name.Length > 0 ? Options.Name : $"interface {Index}";
}
