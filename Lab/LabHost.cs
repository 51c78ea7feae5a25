using System.Net;
using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire;

/// <summary>A host of a lab: a driver with a TCP/IP stack of its own, whose device is at the lab's cable.</summary>
public sealed class LabHost
{
    /// <summary>Bytes of the largest packet of a device; the setting <c>mtu</c> has a smaller one.</summary>
    internal const int EthernetMtu = 1500;

    private readonly Lab _lab;
    private LabWire? _wire;

    internal LabHost(Lab lab, int number, string name, IReadOnlyList<IPAddress> addresses)
    {
        (_lab, Number, Name, Addresses) = (lab, number, name, addresses);
        HardwareAddress = new MacAddress(0x02_74_77_00_00_00 + (ulong)number + 1);
    }

    /// <summary>By which other hosts look it up.</summary>
    public string Name { get; }

    /// <summary>Its own addresses, in the order in which they were given.</summary>
    public IReadOnlyList<IPAddress> Addresses { get; }

    /// <summary>The first of its addresses.</summary>
    public IPAddress Address => Addresses[0];

    /// <summary>Its network: streams, listeners, datagrams, names, and handlers for <see cref="HttpClient"/>. Time-outs of calls are by the lab's time. It ends with the run.</summary>
    public TapwireNetwork Network { get; internal set; } = null!;

    /// <summary>Its device is there, and has not been made to fail.</summary>
    public bool HasDevice { get; private set; } = true;

    internal int Number { get; }

    internal int Mtu { get; set; } = EthernetMtu;

    internal MacAddress HardwareAddress { get; }

    internal Akka.Actor.IActorRef Names { get; set; } = Akka.Actor.ActorRefs.Nobody;

    internal Tapwire.Actors.Settings.DnsSettings? Dns { get; set; }

    /// <summary>Has the device fail, as if it had been removed: what the host sends is lost, and what is under way to it is not received. Its sockets stay, and their time-outs run.</summary>
    public void FailDevice() => _lab.Loop.OnTurn(Number, () =>
    {
        if (!HasDevice)
            return;
        HasDevice = false;
        _wire?.Fail();
    });

    /// <summary>The device is back. The driver finds it with its next attempt, which pauses of 100 ms to 5 s are between (the settings <c>tap.reopen-minimum</c> and <c>-maximum</c>).</summary>
    public void RestoreDevice() => _lab.Loop.OnTurn(Number, () => HasDevice = true);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} ({string.Join(", ", Addresses)})";

    internal LabWire OpenDevice() =>
        HasDevice ? _wire = new LabWire(this, _lab.Cable) : throw new WireException($"{Name}: no such device.");

    internal bool TryReceive(byte[] frame)
    {
        if (!HasDevice || _wire?.TryReceive(frame) != true)
            return false;
        _lab.Capture.Add(this, frame, isSent: false, fate: null);
        return true;
    }
}

/// <summary>A host that is added to a lab.</summary>
public sealed record LabHostOptions
{
    /// <summary>Its name: a label of letters, digits and '-'.</summary>
    public required string Name { get; init; }

    /// <summary>Its addresses, of both families, with or without the length of their prefix, which is 24 or 64 where nothing is said. At least one.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    /// <summary>Settings of the section <c>tapwire</c> in HOCON, as in <c>tcp.congestion-control = bbr</c>. Those that lead out of the lab are refused: wires, proxies, ports of this computer.</summary>
    public string? Settings { get; init; }
}
