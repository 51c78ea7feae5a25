using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using static System.Buffers.Binary.BinaryPrimitives;

namespace Tapwire.Links.Protocol;

/// <summary>The requests that change interfaces and routes as frames: docs/link-protocol.md has the tables. Each ends with a text, whose length is a field of it.</summary>
internal static class InterfaceRequestCodec
{
    private const int PrefixSize = 32;
    private const int RouteSize = 64;

    // Of AddInterface, before its addresses and routes.
    private const int InterfaceHead = 40;
    private const int HardwareAddressAt = 24;
    private const int SlaacAt = 36;
    private const int DhcpAt = 37;

    // Of AddMetricRoute, and of a route of AddInterface.
    private const int MetricAt = 80;
    private const int RouteMetricAt = 60;

    // Of RemoveRoute: one more than the metric, or 0 for any.
    private const int RemovedMetricAt = 52;

    // Of ChangeNeighbor.
    private const int NeighborHardwareAt = 52;

    /// <summary>Bytes of the frame before its variable part; 0 for requests that are not of these.</summary>
    public static int HeadOf(LinkMessageType type) => type switch
    {
        LinkMessageType.AddInterface => InterfaceHead,
        LinkMessageType.RemoveInterface => 24,
        LinkMessageType.AddInterfaceAddress => 56,
        LinkMessageType.AddRoute => 80,
        LinkMessageType.AddMetricRoute => 84,
        LinkMessageType.RemoveRoute => 56,
        LinkMessageType.ChangeNeighbor => 60,
        _ => 0,
    };

    /// <summary>Bytes that <see cref="Write"/> needs.</summary>
    /// <exception cref="ArgumentException">It is longer than a request can be.</exception>
    public static int SizeOf(InterfaceRequest request)
    {
        var size = HeadOf(request.Type) + request switch
        {
            AddInterfaceRequest { Interface: var added } => (PrefixSize * (added.Addresses.Count + added.PeerAddresses.Count)) + (RouteSize * added.Routes.Count)
                + Encoding.UTF8.GetByteCount(added.Name) + Encoding.UTF8.GetByteCount(added.Wire),
            _ => Encoding.UTF8.GetByteCount(NameOf(request)),
        };
        return size <= LinkProtocol.MaxRequest
            ? size
            : throw new ArgumentException($"The request has {size} bytes; it has room for {LinkProtocol.MaxRequest}. Add some of the addresses and routes afterwards.", nameof(request));
    }

    /// <summary>Reads a frame that is at least as long as <see cref="HeadOf"/> says.</summary>
    /// <returns>Null: an address is of an unknown family.</returns>
    /// <exception cref="LinkProtocolException">The frame is malformed.</exception>
    public static LinkRequest? Read(LinkMessageType type, uint id, ReadOnlySpan<byte> frame)
    {
        if (type == LinkMessageType.AddInterface)
            return ReadInterface(id, frame);
        var name = ReadName(type, frame);
        if (type == LinkMessageType.RemoveInterface)
            return new RemoveInterfaceRequest(id, name);
        if (type == LinkMessageType.ChangeNeighbor)
            return ReadNeighbor(id, frame, name);
        if (!TryReadPrefix(frame[16..], out var prefix))
            return null;
        if (type == LinkMessageType.AddInterfaceAddress)
            return new AddInterfaceAddressRequest(id, prefix, name);
        if (type == LinkMessageType.RemoveRoute)
            return new RemoveRouteRequest(id, prefix, name) { Metric = ReadUInt32LittleEndian(frame[RemovedMetricAt..]) is > 0 and var next ? ReadMetric(next - 1) : null };
        var metric = type == LinkMessageType.AddMetricRoute ? ReadMetric(ReadUInt32LittleEndian(frame[MetricAt..])) : 0;
        return Sockaddr.TryRead(frame[48..], out var gateway) ? new AddRouteRequest(id, new LinkRoute(prefix, gateway.Endpoint.Address) { Metric = metric }, name) : null;
    }

    /// <summary>Writes what follows the frame's header into a frame of zeros.</summary>
    public static void Write(InterfaceRequest request, Span<byte> frame)
    {
        switch (request)
        {
            case AddInterfaceRequest add:
                WriteInterface(add.Interface, frame);
                return;
            case AddInterfaceAddressRequest address:
                WritePrefix(address.Address, frame[16..]);
                break;
            case AddRouteRequest add:
                WritePrefix(add.Route.Destination, frame[16..]);
                Sockaddr.From(new(add.Route.Gateway, 0)).WriteTo(frame[48..]);
                if (add.Type == LinkMessageType.AddMetricRoute)
                    WriteUInt32LittleEndian(frame[MetricAt..], (uint)add.Route.Metric);
                break;
            case RemoveRouteRequest remove:
                WritePrefix(remove.Destination, frame[16..]);
                WriteUInt32LittleEndian(frame[RemovedMetricAt..], remove.Metric is { } metric ? (uint)metric + 1 : 0);
                break;
            case NeighborRequest neighbor:
                if (neighbor.Address is { } host)
                    Sockaddr.From(new(host, 0)).WriteTo(frame[16..]);
                neighbor.Hardware?.CopyTo(frame[NeighborHardwareAt..]);
                break;
        }

        WriteUInt32LittleEndian(frame[NameLengthAt(request.Type)..], (uint)Encoding.UTF8.GetBytes(NameOf(request), frame[HeadOf(request.Type)..]));
    }

    private static string NameOf(InterfaceRequest request) => request switch
    {
        RemoveInterfaceRequest remove => remove.Name,
        AddInterfaceAddressRequest add => add.Interface,
        AddRouteRequest add => add.Interface,
        RemoveRouteRequest remove => remove.Interface,
        NeighborRequest neighbor => neighbor.Interface,
        _ => "",
    };

    private static int NameLengthAt(LinkMessageType type) => type switch
    {
        LinkMessageType.RemoveInterface => 16,
        LinkMessageType.AddRoute or LinkMessageType.AddMetricRoute => 76,
        _ => 48,
    };

    private static string ReadName(LinkMessageType type, ReadOnlySpan<byte> frame)
    {
        var head = HeadOf(type);
        var length = ReadUInt32LittleEndian(frame[NameLengthAt(type)..]);
        if (length != frame.Length - head)
            throw new LinkProtocolException($"A {type} of {frame.Length} bytes with a name of {length}.");
        return Encoding.UTF8.GetString(frame[head..]);
    }

    private static NeighborRequest? ReadNeighbor(uint id, ReadOnlySpan<byte> frame, string name)
    {
        if (!Sockaddr.TryRead(frame[16..], out var address))
            return null;
        var hardware = MacAddress.FromBytes(frame[NeighborHardwareAt..]);
        return new NeighborRequest(id, address.Family == SocketFamily.Unspecified ? null : address.Endpoint.Address, hardware.Value == 0 ? null : hardware, name);
    }

    private static AddInterfaceRequest? ReadInterface(uint id, ReadOnlySpan<byte> frame)
    {
        var name = (int)ReadUInt16LittleEndian(frame[16..]);
        var wire = (int)ReadUInt16LittleEndian(frame[18..]);
        var (addressCount, peerCount, routeCount) = (ReadUInt16LittleEndian(frame[30..]), ReadUInt16LittleEndian(frame[32..]), ReadUInt16LittleEndian(frame[34..]));
        var mtu = LinkRequestCodec.AtMost(ReadUInt32LittleEndian(frame[20..]), ushort.MaxValue, "MTU");
        var size = InterfaceHead + (PrefixSize * (addressCount + peerCount)) + (RouteSize * routeCount) + name + wire;
        if (frame.Length != size)
            throw new LinkProtocolException($"An AddInterface of {frame.Length} bytes whose parts have {size}.");

        var (addresses, peers, routes) = (new IpPrefix[addressCount], new IpPrefix[peerCount], new LinkRoute[routeCount]);
        var rest = frame[InterfaceHead..];
        if (!TryReadPrefixes(ref rest, addresses) || !TryReadPrefixes(ref rest, peers) || !TryReadRoutes(ref rest, routes))
            return null;
        var hardware = MacAddress.FromBytes(frame[HardwareAddressAt..]);
        var slaac = (LinkSlaac)LinkRequestCodec.AtMost(frame[SlaacAt], (uint)LinkSlaac.Temporary, "kind of autoconfiguration");
        var dhcp = (LinkDhcp)LinkRequestCodec.AtMost(frame[DhcpAt], (uint)LinkDhcp.Both, "kind of DHCP");
        return new AddInterfaceRequest(id, new NewInterface(Encoding.UTF8.GetString(rest[name..]), addresses)
        {
            Name = Encoding.UTF8.GetString(rest[..name]),
            Mtu = mtu,
            HardwareAddress = hardware.Value == 0 ? null : hardware,
            PeerAddresses = peers,
            Routes = routes,
            Slaac = slaac,
            Dhcp = dhcp,
        });
    }

    private static void WriteInterface(NewInterface added, Span<byte> frame)
    {
        WriteUInt32LittleEndian(frame[20..], (uint)added.Mtu);
        added.HardwareAddress?.CopyTo(frame[HardwareAddressAt..]);
        WriteUInt16LittleEndian(frame[30..], (ushort)added.Addresses.Count);
        WriteUInt16LittleEndian(frame[32..], (ushort)added.PeerAddresses.Count);
        WriteUInt16LittleEndian(frame[34..], (ushort)added.Routes.Count);
        frame[SlaacAt] = (byte)added.Slaac;
        frame[DhcpAt] = (byte)added.Dhcp;
        var rest = frame[InterfaceHead..];
        foreach (var prefix in added.Addresses.Concat(added.PeerAddresses))
        {
            WritePrefix(prefix, rest);
            rest = rest[PrefixSize..];
        }

        foreach (var route in added.Routes)
        {
            WriteRoute(route, rest);
            rest = rest[RouteSize..];
        }

        var name = Encoding.UTF8.GetBytes(added.Name, rest);
        WriteUInt16LittleEndian(frame[16..], (ushort)name);
        WriteUInt16LittleEndian(frame[18..], (ushort)Encoding.UTF8.GetBytes(added.Wire, rest[name..]));
    }

    private static bool TryReadPrefixes(ref ReadOnlySpan<byte> rest, IpPrefix[] prefixes)
    {
        foreach (ref var prefix in prefixes.AsSpan())
        {
            if (!TryReadPrefix(rest, out prefix))
                return false;
            rest = rest[PrefixSize..];
        }

        return true;
    }

    private static bool TryReadRoutes(ref ReadOnlySpan<byte> rest, LinkRoute[] routes)
    {
        foreach (ref var route in routes.AsSpan())
        {
            if (!TryReadPrefix(rest, out var destination) || !Sockaddr.TryRead(rest[PrefixSize..], out var gateway))
                return false;
            route = new LinkRoute(destination, gateway.Endpoint.Address) { Metric = ReadMetric(ReadUInt32LittleEndian(rest[RouteMetricAt..])) };
            rest = rest[RouteSize..];
        }

        return true;
    }

    private static bool TryReadPrefix(ReadOnlySpan<byte> bytes, out IpPrefix prefix)
    {
        prefix = default;
        if (!Sockaddr.TryRead(bytes, out var address))
            return false;
        var host = address.Endpoint.Address;
        prefix = new IpPrefix(host, LinkRequestCodec.AtMost(ReadUInt32LittleEndian(bytes[Sockaddr.Size..]), (uint)host.Length * 8, "prefix length"));
        return true;
    }

    private static void WritePrefix(IpPrefix prefix, Span<byte> bytes)
    {
        Sockaddr.From(new(prefix.Address, 0)).WriteTo(bytes);
        WriteUInt32LittleEndian(bytes[Sockaddr.Size..], (uint)prefix.Length);
    }

    private static int ReadMetric(uint value) => LinkRequestCodec.AtMost(value, int.MaxValue, "metric");

    private static void WriteRoute(LinkRoute route, Span<byte> bytes)
    {
        WritePrefix(route.Destination, bytes);
        Sockaddr.From(new(route.Gateway, 0)).WriteTo(bytes[PrefixSize..]);
        WriteUInt32LittleEndian(bytes[RouteMetricAt..], (uint)route.Metric);
    }
}
