using System.Text;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Wires.Qemu;

/// <summary>"qemu:unix:PATH": the network card of a virtual machine, without a device of the kernel and without any privilege.</summary>
internal sealed class QemuKind : WireKind
{
    private const int UsualMtu = 1500;

    private static readonly string[] Extensions = [".sock", ".socket"];

    public override string Name => "qemu";

    public override string Form => "qemu:unix:PATH";

    public override Medium Medium => Medium.Ethernet;

    /// <summary>A socket is made, or connected to, with this process's rights.</summary>
    public override bool ReadsFile => true;

    /// <summary>What is wrong with an argument that has a path, <see cref="PlanOf"/> says in words.</summary>
    public override bool Accepts(string argument) => !argument.Any(char.IsControl) && IsDeviceName(DeviceOf(argument));

    /// <summary>The name of the socket's file, without ".sock".</summary>
    public override string DeviceOf(string argument)
    {
        var name = Path.GetFileName(QemuOptions.PathOf(argument));
        if (Extensions.FirstOrDefault(each => name.Length > each.Length && name.EndsWith(each, StringComparison.Ordinal)) is { } extension)
            name = name[..^extension.Length];
        while (Encoding.UTF8.GetByteCount(name) > TapWireOptions.MaxNameLength)
            name = name[..^1];
        return name;
    }

    /// <returns>Null: addresses and routes are the settings' own.</returns>
    public override WirePlan? PlanOf(string argument)
    {
        QemuOptions.Parse(argument);
        return null;
    }

    public override IWire Open(string argument, WireRequest request)
    {
        if (request.MultiQueue)
            throw new WireException("A QEMU wire has one queue; set tapwire.shards to 1, or leave --shards away.");
        if (request.PeerAddresses.Count > 0)
            throw new WireException("A QEMU wire has no end in the host's kernel; leave --peer-address away.");
        var options = QemuOptions.Parse(argument);
        var (address, mtu) = (request.HardwareAddress ?? HardwareAddresses.Random(), request.Mtu ?? UsualMtu);
        return options.Role == QemuRole.Datagrams ? QemuDatagramWire.Open(DeviceOf(argument), options, address, mtu) : QemuStreamWire.Open(DeviceOf(argument), options, address, mtu);
    }
}
