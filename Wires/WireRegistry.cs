using System.Text;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires;

/// <summary>What is asked of a wire when it is opened, whatever its kind.</summary>
public sealed record WireRequest
{
    /// <summary>Opens one queue of several: the next wire of the same kind and argument, opened so too, is another one.</summary>
    public bool MultiQueue { get; init; }

    /// <summary>Null: the wire's own.</summary>
    public int? Mtu { get; init; }

    /// <summary>The address of this end on Ethernet. Null: the wire chooses one.</summary>
    public MacAddress? HardwareAddress { get; init; }

    /// <summary>Addresses for the host's end of the wire.</summary>
    public IReadOnlyList<IpPrefix> PeerAddresses { get; init; } = [];

    /// <summary>Leaves checksums and segmentation to the device where it can.</summary>
    public bool Offload { get; init; } = true;
}

/// <summary>A kind of wire, by its word before the colon in "kind:argument".</summary>
public abstract class WireKind
{
    public abstract string Name { get; }

    /// <summary>How it is written, as in "tap:NAME".</summary>
    public abstract string Form { get; }

    public abstract Medium Medium { get; }

    /// <summary>The argument is one that this kind can be opened with.</summary>
    public abstract bool Accepts(string argument);

    /// <exception cref="WireException">It does not open, and why.</exception>
    public abstract IWire Open(string argument, WireRequest request);
}

/// <summary>The kinds of wires that there are. A new one is entered here and nowhere else.</summary>
public static class WireRegistry
{
    public static IReadOnlyList<WireKind> Kinds { get; } = [new DeviceKind("tap", Medium.Ethernet), new DeviceKind("tun", Medium.Ip)];

    /// <summary>Null: there is no such kind.</summary>
    public static WireKind? Find(string name) => Kinds.FirstOrDefault(kind => kind.Name == name);

    /// <summary>A device of the kernel's, made if it is not there.</summary>
    private sealed class DeviceKind(string name, Medium medium) : WireKind
    {
        public override string Name => name;

        public override string Form => $"{name}:NAME";

        public override Medium Medium => medium;

        /// <summary>The kernel takes no "." and "..", and would make something of '%'.</summary>
        public override bool Accepts(string argument) =>
            Encoding.UTF8.GetByteCount(argument) is >= 1 and <= TapWireOptions.MaxNameLength && argument is not ("." or "..")
            && !argument.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '/' or ':' or '%');

        public override IWire Open(string argument, WireRequest request)
        {
            var options = new TapWireOptions
            {
                Name = argument,
                Medium = medium,
                MultiQueue = request.MultiQueue,
                Mtu = request.Mtu,
                HardwareAddress = request.HardwareAddress,
                PeerAddresses = request.PeerAddresses,
            };
            return TapWire.Open(request.Offload ? options : options with { Offloads = WireOffloads.None });
        }
    }
}
