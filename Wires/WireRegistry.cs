using System.Text;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Qemu;
using Tapwire.Wires.Vxlan;
using Tapwire.Wires.WireGuard;

namespace Tapwire.Wires;

/// <summary>Options for opening a wire of any kind.</summary>
public sealed record WireRequest
{
    /// <summary>Opens one queue of a multi-queue device. Opening the same kind and argument again, also with this option, gives the next queue.</summary>
    public bool MultiQueue { get; init; }

    /// <summary>The MTU to set; null keeps the wire's own.</summary>
    public int? Mtu { get; init; }

    /// <summary>The Ethernet address of this end; null: the wire chooses one.</summary>
    public MacAddress? HardwareAddress { get; init; }

    /// <summary>Addresses for the host's end of the wire.</summary>
    public IReadOnlyList<IpPrefix> PeerAddresses { get; init; } = [];

    /// <summary>Leaves checksums and segmentation to the device where the device supports it.</summary>
    public bool Offload { get; init; } = true;
}

/// <summary>What the configuration that a wire's argument names says about its interface; the driver's own settings go before it.</summary>
/// <param name="Addresses">Own addresses, of both families.</param>
/// <param name="Routes">Networks that are reached by the wire, without a gateway.</param>
/// <param name="Mtu">Bytes.</param>
/// <param name="Dns">Name servers.</param>
/// <param name="SearchDomains">Domains in which those servers are asked.</param>
public sealed record WirePlan(IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<IpPrefix> Routes, int Mtu, IReadOnlyList<IpAddress> Dns, IReadOnlyList<string> SearchDomains);

/// <summary>A kind of wire, named by the word before the colon in "kind:argument".</summary>
public abstract class WireKind
{
    public abstract string Name { get; }

    /// <summary>The notation of this kind, as in "tap:NAME".</summary>
    public abstract string Form { get; }

    public abstract Medium Medium { get; }

    /// <summary>True when this kind can be opened with the argument.</summary>
    public abstract bool Accepts(string argument);

    /// <summary>The name of the device that the argument stands for, which its interface has when it is given no other.</summary>
    public virtual string DeviceOf(string argument) => argument;

    /// <summary>The argument names a file, which is read or made with this process's rights: not for wires that others ask for.</summary>
    public virtual bool ReadsFile => false;

    /// <summary>The kernel takes it for the name of a device: it refuses "." and "..", and expands '%' to a number.</summary>
    protected static bool IsDeviceName(string name) =>
        Encoding.UTF8.GetByteCount(name) is >= 1 and <= TapWireOptions.MaxNameLength && name is not ("." or "..")
        && !name.Any(static c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '/' or ':' or '%');

    /// <summary>What the argument's own configuration says; null: the kind has none.</summary>
    /// <exception cref="WireException">It cannot be read, or is wrong; the message says where.</exception>
    public virtual WirePlan? PlanOf(string argument) => null;

    /// <exception cref="WireException">The wire does not open; the message says why.</exception>
    public abstract IWire Open(string argument, WireRequest request);
}

/// <summary>All kinds of wires. A new kind is registered here and nowhere else.</summary>
public static class WireRegistry
{
    public static IReadOnlyList<WireKind> Kinds { get; } = [new DeviceKind("tap", Medium.Ethernet), new DeviceKind("tun", Medium.Ip), new WireGuardKind(), new VxlanKind(), new QemuKind()];

    /// <summary>The kind with that name, or null.</summary>
    public static WireKind? Find(string name) => Kinds.FirstOrDefault(kind => kind.Name == name);

    /// <summary>A device of the kernel, created if it does not exist.</summary>
    private sealed class DeviceKind(string name, Medium medium) : WireKind
    {
        public override string Name => name;

        public override string Form => $"{name}:NAME";

        public override Medium Medium => medium;

        public override bool Accepts(string argument) => IsDeviceName(argument);

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
