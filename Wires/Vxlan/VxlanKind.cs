using System.Security.Cryptography;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Udp;

namespace Tapwire.Wires.Vxlan;

/// <summary>"vxlan:ID/remote=ADDRESS": one end of an Ethernet over the host's IP network (RFC 7348), in this process and without any privilege.</summary>
internal sealed class VxlanKind : WireKind
{
    /// <summary>Sockets that only send, each with a source port of its own (RFC 7348, 5: from 49152 on, by the inner flow), so that networks spread flows over their paths and hosts over their queues. One socket has one
    /// port; a number as that of a hash's values would take as many descriptors.</summary>
    private const int Senders = 4;

    private const int FirstSourcePort = 49152;
    private const int BindAttempts = 16;

    /// <summary>Where nothing is known of the path: Ethernet's.</summary>
    private const int UsualPath = 1500;

    private const int LeastMtu = 68;

    public override string Name => "vxlan";

    public override string Form => "vxlan:ID/remote=ADDRESS";

    public override Medium Medium => Medium.Ethernet;

    /// <summary>What begins with a number is meant for one; what is wrong with the rest, <see cref="PlanOf"/> says in words.</summary>
    public override bool Accepts(string argument) => argument.Length > 0 && char.IsAsciiDigit(argument[0]) && argument.Length <= 65536 && !argument.Any(static c => char.IsControl(c) || char.IsWhiteSpace(c));

    public override string DeviceOf(string argument) => $"vxlan{argument.Split('/')[0]}" is var name && name.Length <= TapWireOptions.MaxNameLength ? name : name[..TapWireOptions.MaxNameLength];

    /// <returns>Null: addresses and routes are the settings' own.</returns>
    public override WirePlan? PlanOf(string argument)
    {
        VxlanOptions.Parse(argument);
        return null;
    }

    public override IWire Open(string argument, WireRequest request)
    {
        if (request.MultiQueue)
            throw new WireException("A VXLAN wire has one queue; set tapwire.shards to 1, or leave --shards away.");
        if (request.PeerAddresses.Count > 0)
            throw new WireException("A VXLAN wire has no end in the host's kernel; leave --peer-address away.");
        var options = VxlanOptions.Parse(argument);
        var ports = new List<IDatagramPort>();
        try
        {
            ports.Add(UdpPort.Open(new UdpPortOptions(options.Port)
            {
                Local = options.Local,
                TakesNoChecksum = true,
                InUse = "another program, or a VXLAN device of the kernel's, has it; choose another with dstport=",
                Privileged = "choose a dstport above 1023",
            }));
            for (var i = 0; i < Senders; i++)
                ports.Add(OpenSender(options.Local));
            var mtu = request.Mtu ?? (options.Mtu > 0 ? options.Mtu : MtuOf(options));
            return new VxlanWire(new VxlanParts(DeviceOf(argument), options, ports[0], [.. ports.Skip(1)], TimeProvider.System, request.HardwareAddress ?? HardwareAddresses.Random(), mtu));
        }
        catch
        {
            foreach (var port in ports)
                port.Dispose();
            throw;
        }
    }

    /// <summary>The largest inner packet that goes to every peer in one piece: neither end may cut the outer ones (RFC 7348, 4.3).</summary>
    private static int MtuOf(VxlanOptions options)
    {
        var least = options.Remotes.Concat(options.Static.Select(static each => each.Remote)).Select(static remote => UdpPort.PathMtu(remote)).Where(static mtu => mtu > 0).DefaultIfEmpty(UsualPath).Min();
        return Math.Clamp(least - options.Overhead, LeastMtu, 65000);
    }

    private static UdpPort OpenSender(IpAddress? local)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return UdpPort.Open(new UdpPortOptions((ushort)RandomNumberGenerator.GetInt32(FirstSourcePort, ushort.MaxValue + 1)) { Local = local, OnlySends = true });
            }
            catch (WireException) when (attempt < BindAttempts)
            {
                // Somebody has that one.
            }
        }
    }
}
