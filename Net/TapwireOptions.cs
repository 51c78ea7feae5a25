using Akka.Event;
using Tapwire.Wires;

namespace Tapwire;

/// <summary>A driver in this process. All but <see cref="Wire"/> can stay as it is where the wire says the rest, as a WireGuard configuration does.</summary>
public sealed class TapwireOptions
{
    /// <summary>The network side: tap:NAME, tun:NAME, wg:FILE (a WireGuard configuration), or vxlan:ID/remote=ADDRESS. Null: that of <see cref="ConfigurationFile"/> or <see cref="Settings"/>.</summary>
    public string? Wire { get; set; }

    /// <summary>Own addresses with their prefixes, of both families, as in 10.99.0.2/24.</summary>
    public IList<string> Addresses { get; set; } = [];

    /// <summary>Where packets to other networks go; null: nowhere, or as the settings have it.</summary>
    public string? Gateway { get; set; }

    /// <summary>Whether a DHCP server gives addresses, routes and name servers. It needs Ethernet (tap:NAME).</summary>
    public bool Dhcp { get; set; }

    /// <summary>Name servers, ADDRESS or ADDRESS:PORT, up to 8.</summary>
    public IList<string> NameServers { get; set; } = [];

    /// <summary>The control socket by which programs of other processes use this driver, too; null: there is none.</summary>
    public string? LinkPath { get; set; }

    /// <summary>The name of the driver among several of one actor system, and of the system where it has its own.</summary>
    public string Name { get; set; } = "tapwire";

    /// <summary>A file of settings as the program tapwire has (tapwire.hocon(5)).</summary>
    public string? ConfigurationFile { get; set; }

    /// <summary>Settings of the section <c>tapwire</c> in HOCON, which go before those of the file, as in <c>tcp.congestion-control = bbr</c>. The properties above go before both.</summary>
    public string? Settings { get; set; }

    /// <summary>Gets what the driver logs (the level is <see cref="LogLevel"/>). Called from an actor, one event at a time; it must not block. Not for an actor system of the program's own, which logs.</summary>
    public Action<LogEvent>? Log { get; set; }

    /// <summary>Where wires are opened: specs have them in another network namespace.</summary>
    internal Func<Func<IWire>, IWire>? OpenWithin { get; set; }

    /// <summary>What is logged: warnings and errors by default.</summary>
    public LogLevel LogLevel { get; set; } = LogLevel.WarningLevel;
}
