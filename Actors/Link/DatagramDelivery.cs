using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>Datagrams on their way to the application: what waits, and the messages that it becomes.</summary>
internal sealed class DatagramDelivery(DatagramLink link, SocketFamily family)
{
    /// <summary>Bytes of datagrams that become one message (UDP_GRO): as many as one packet of IPv4 holds, for which programs have room.</summary>
    private const int MostMerged = UdpSocket.MaxPayloadV4;

    private readonly Queue<DatagramReceived> _waiting = new();

    /// <summary>Datagrams of the stack, oldest first, that go to the application as one message.</summary>
    private readonly List<PacketBuffer> _merged = [];

    public int Count => _waiting.Count;

    public void Enqueue(DatagramReceived datagram) => _waiting.Enqueue(datagram);

    /// <summary>Writes the application what it takes.</summary>
    /// <param name="parts">What the application has asked for.</param>
    /// <param name="port">The socket's own.</param>
    /// <returns>The credit that the datagrams took which are done with.</returns>
    public int Deliver(DatagramParts parts, ushort port)
    {
        var delivered = 0;
        while (_waiting.TryPeek(out var first))
        {
            if (Write(first, parts, port) == WriteResult.Full)
                break;
            for (var i = _merged.Count; i > 0; i--)
            {
                var done = _waiting.Dequeue();
                delivered += done.CreditUsed();
                done.Release();
            }
        }

        link.AwaitRoom(_waiting.Count > 0);
        return delivered;
    }

    /// <summary>Tells the application an error.</summary>
    /// <param name="parts">What the application has asked for.</param>
    public void Deliver(DatagramError error, DatagramParts parts)
    {
        if (error.Report is not { } report)
        {
            link.WriteError((int)error.Error);
            return;
        }

        var wanted = report.Origin switch
        {
            UdpErrorOrigin.Icmp => parts & (DatagramParts.HopLimit | DatagramParts.TrafficClass),
            UdpErrorOrigin.Icmpv6 => parts & (DatagramParts.HopLimitV6 | DatagramParts.TrafficClassV6),
            _ => DatagramParts.None,
        };
        var extension = new DatagramExtension(DatagramParts.Error | wanted)
        {
            Destination = report.Offender,
            Local = report.Destination.Address,
            Port = report.Destination.Port,
            HopLimit = report.Type,
            TrafficClass = report.Code,
            SegmentSize = (ushort)report.Origin,
            Family = family,
            Drops = (uint)(report.HopLimit | report.TrafficClass << 8),
            Mtu = (uint)report.Mtu,
        };
        link.WriteError((int)error.Error, extension, report.Payload);
    }

    /// <summary>What the application asks for one datagram.</summary>
    public static UdpSendOptions Asked(in DatagramExtension asked) => asked.Parts == DatagramParts.None ? default : new()
    {
        Source = (asked.Parts & DatagramParts.PacketInfo) != 0 ? asked.Local : default,
        Interface = (asked.Parts & DatagramParts.PacketInfo) != 0 ? InterfaceNumbers.IndexOf(asked.Interface) : null,
        HopLimit = (asked.Parts & DatagramParts.HopLimit) != 0 ? asked.HopLimit : (byte)0,
        TrafficClass = (asked.Parts & DatagramParts.TrafficClass) != 0 ? asked.TrafficClass : null,
        SegmentSize = (asked.Parts & DatagramParts.SegmentSize) != 0 ? asked.SegmentSize : null,
    };

    public void Release()
    {
        while (_waiting.TryDequeue(out var datagram))
            datagram.Release();
    }

    private WriteResult Write(DatagramReceived first, DatagramParts parts, ushort port)
    {
        _merged.Clear();
        _merged.Add(first.Data);
        if ((parts & DatagramParts.SegmentSize) != 0 && first.Data.TotalLength > 0)
            Merge(first);
        parts &= first.Info.Destination.IsV4 ? ~DatagramParts.OnlyV6 : ~DatagramParts.OnlyV4;
        if (_merged.Count == 1)
            parts &= ~DatagramParts.SegmentSize;
        if (first.Info.Drops == 0)
            parts &= ~DatagramParts.Drops;
        if (first.Stamp == 0)
            parts &= ~DatagramParts.AnyTimestamp;
        var extension = parts == DatagramParts.None ? default : Describe(first, parts, port);
        return link.Write(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_merged), SenderOf(first), extension);
    }

    /// <summary>Who has sent a datagram; of a link-local address also on which link, so that an answer finds it.</summary>
    private Sockaddr SenderOf(DatagramReceived datagram)
    {
        var sender = Sockaddr.From(datagram.From, family);
        return datagram.From.Address.IsLinkLocal ? sender with { Scope = (uint)InterfaceNumbers.Of(datagram.Info.Interface) } : sender;
    }

    /// <summary>UDP_GRO: the datagrams behind the first one that differ from it in nothing but their bytes. The last one may be shorter.</summary>
    private void Merge(DatagramReceived first)
    {
        var size = first.Data.TotalLength;
        var total = 0;
        foreach (var next in _waiting)
        {
            var length = next.Data.TotalLength;
            total += length;
            if (next == first)
                continue;
            if (_merged.Count == DatagramLink.MaxMerged || total > MostMerged || length > size || length == 0 || !IsLike(first, next))
                return;
            _merged.Add(next.Data);
            if (length < size)
                return;
        }
    }

    private static bool IsLike(DatagramReceived a, DatagramReceived b) =>
        a.From == b.From && a.Info with { Arrived = b.Info.Arrived, Drops = b.Info.Drops } == b.Info;

    private static DatagramExtension Describe(DatagramReceived datagram, DatagramParts parts, ushort port) => new(parts)
    {
        Interface = InterfaceNumbers.Of(datagram.Info.Interface),
        Destination = datagram.Info.Destination,
        Local = datagram.Info.Local,
        HopLimit = datagram.Info.HopLimit,
        TrafficClass = datagram.Info.TrafficClass,
        SegmentSize = (ushort)datagram.Data.TotalLength,
        Port = port,
        Drops = datagram.Info.Drops,
        Stamp = datagram.Stamp,
    };
}

/// <summary>Interfaces by the numbers that programs see.</summary>
internal static class InterfaceNumbers
{
    /// <summary>LOOPBACK_IFINDEX: what the stack sends to itself.</summary>
    public const int Loopback = 1;

    /// <summary>The address as a program sees it, with the interface of a link-local one (sin6_scope_id).</summary>
    /// <param name="on">See <see cref="Bound.Interface"/>.</param>
    public static Sockaddr Name(IpEndpoint endpoint, SocketFamily family, byte? on)
    {
        var name = Sockaddr.From(endpoint, family);
        return on is { } index && endpoint.Address is { IsV6: true, IsLinkLocal: true } ? name with { Scope = (uint)Of(index) } : name;
    }

    /// <summary>The number as a zone (RFC 4007, 11.2).</summary>
    public static string TextOf(byte index) => Of(index).ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <param name="index">The stack's.</param>
    public static int Of(byte index) => index == DatagramInfo.Loopback ? Loopback : LinkInterface.IndexOf(index);

    /// <summary>The stack's index; null for 0, which is any interface, and for loopback, which is none of its own. A number beyond all interfaces stays one.</summary>
    public static byte? IndexOf(int number) => number is 0 or Loopback ? null : (byte)Math.Clamp((long)number - LinkInterface.IndexOf(0), 0, byte.MaxValue);
}
