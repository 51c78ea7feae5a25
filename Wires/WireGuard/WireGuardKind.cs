using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires.Udp;

namespace Tapwire.Wires.WireGuard;

/// <summary>"wg:FILE": a WireGuard interface, as wg-quick(8) would configure it, in this process and without any privilege.</summary>
internal sealed class WireGuardKind : WireKind
{
    private const string Extension = ".conf";

    // Packets wait here for a session: few, and seldom.
    private static readonly BufferPool s_staging = new(1 << 20);

    public override string Name => "wg";

    public override string Form => "wg:FILE";

    public override Medium Medium => Medium.Ip;

    public override bool ReadsFile => true;

    /// <summary>The file's name is that of the interface, as with wg-quick.</summary>
    public override bool Accepts(string argument) => !argument.Any(char.IsControl) && IsDeviceName(DeviceOf(argument));

    /// <summary>The file's name without ".conf", as wg-quick names its device.</summary>
    public override string DeviceOf(string argument)
    {
        var name = Path.GetFileName(argument);
        return name.EndsWith(Extension, StringComparison.Ordinal) ? name[..^Extension.Length] : name;
    }

    public override WirePlan PlanOf(string argument)
    {
        using var file = WgQuickFile.Read(argument);
        return new WirePlan(file.Addresses, file.Routes, file.Mtu, file.Dns, file.SearchDomains);
    }

    public override IWire Open(string argument, WireRequest request)
    {
        if (request.MultiQueue)
            throw new WireException("A WireGuard wire has one queue; set tapwire.shards to 1, or leave --shards away.");
        if (request.PeerAddresses.Count > 0)
            throw new WireException("A WireGuard wire has no end in the host's kernel; leave --peer-address away.");
        if (request.HardwareAddress is not null)
            throw new WireException("A WireGuard wire carries no Ethernet; leave --mac away.");
        var file = WgQuickFile.Read(argument);
        try
        {
            var port = UdpPort.Open(new UdpPortOptions((ushort)file.ListenPort)
            {
                Mark = file.FwMark,
                InUse = "another program, or another WireGuard interface, has it; choose another ListenPort, or leave it away",
                Privileged = "choose a ListenPort above 1023",
            });
            return new WireGuardWire(new WireGuardParts(DeviceOf(argument), file, () => WgQuickFile.Read(argument), port, TimeProvider.System, SystemRandomBytes.Instance,
                EndpointResolver.HostLookup, s_staging, request.Mtu ?? file.Mtu));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
