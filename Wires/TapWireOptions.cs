using System.Text;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Posix;

namespace Tapwire.Wires;

/// <summary>How a <see cref="TapWire"/> is opened.</summary>
public sealed record TapWireOptions
{
    /// <summary>Bytes of a name: IFNAMSIZ, less the zero at the end.</summary>
    public const int MaxNameLength = InterfaceControl.MaxNameLength;

    /// <summary>The interface's name, 1..15 bytes. One that exists is attached to, another is created and vanishes with the wire; a %d in the name lets
    /// the kernel choose a number.</summary>
    public required string Name { get; init; }

    /// <summary>Ethernet is a TAP device, Ip a TUN device.</summary>
    public Medium Medium { get; init; } = Medium.Ethernet;

    /// <summary>Opens one queue of an interface that can have several. The next wire with this name and option opens another queue. The kernel sends a flow's
    /// frames to the queue that sent some of the flow last, and chooses for itself before that.</summary>
    public bool MultiQueue { get; init; }

    /// <summary>The MTU to set on the interface, 68..65521; null: the interface keeps its own.</summary>
    public int? Mtu { get; init; }

    /// <summary>Brings the interface up if it is down. A device that stays down refuses frames.</summary>
    public bool BringUp { get; init; } = true;

    /// <summary>Offloads to ask the device for, in both directions; <see cref="IWire.Offloads"/> has those granted. UDP segmentation came with Linux
    /// 6.2.</summary>
    public WireOffloads Offloads { get; init; } =
        WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.UdpSegmentation;

    /// <summary>The address of this end on Ethernet, different from the interface's own. Null: a random locally administered one.</summary>
    public MacAddress? HardwareAddress { get; init; }

    /// <summary>Addresses to add to the interface, which is the kernel's end. It keeps them if it outlives the wire.</summary>
    public IReadOnlyList<IpPrefix> PeerAddresses { get; init; } = [];

    /// <exception cref="ArgumentException">The message names the option, what is wrong and what is accepted.</exception>
    internal void Validate()
    {
        var bytes = Encoding.UTF8.GetByteCount(Name);
        if (bytes is 0 or > InterfaceControl.MaxNameLength || Name is "." or ".." || Name.Any(c => c is '/' or ':' || char.IsWhiteSpace(c)))
        {
            throw new ArgumentException(
                $"'{Name}' cannot be an interface's name: 1 to {InterfaceControl.MaxNameLength} bytes without space, '/' and ':' are accepted ({bytes} bytes here).");
        }

        if (Mtu is < 68 or > 65521)
            throw new ArgumentException($"The MTU of {Name} cannot be {Mtu}: 68 to 65521 are accepted.");
        if (HardwareAddress is { } address && (address.IsGroup || address.Value == 0))
            throw new ArgumentException($"{address} cannot be the hardware address on {Name}: it is a group address or zero.");
        if ((Offloads & ~WireOffloads.Checksum) != 0 && (Offloads & WireOffloads.Checksum) == 0)
            throw new ArgumentException($"The offloads of {Name} cannot be {Offloads}: segmentation needs Checksum, too.");
    }
}
