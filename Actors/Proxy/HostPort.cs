using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Proxy;

namespace Tapwire.Actors.Proxy;

/// <summary>A port of the host that has been opened for the driver: a SOCKS proxy's, or a forwarded one. Whoever holds it disposes it.</summary>
public abstract record HostPort : IDisposable
{
    private protected HostPort(string name) => Name = name;

    /// <summary>What it is, and as it is written in the settings.</summary>
    public string Name { get; }

    /// <summary>Opens the ports that settings name; all or none.</summary>
    /// <exception cref="HostSocketException">One cannot be opened: in use, or not the host's address.</exception>
    /// <exception cref="SettingsException">A SOCKS port would be open to other machines, and that is not allowed or not guarded.</exception>
    public static IReadOnlyList<HostPort> Open(DriverSettings settings)
    {
        settings.Socks.Check();
        var ports = new List<HostPort>();
        try
        {
            foreach (var spec in settings.Socks.Listen)
                ports.Add(Open(spec));
            foreach (var spec in settings.Forward)
                ports.Add(Open(spec));
            return ports;
        }
        catch
        {
            ports.ForEach(static port => port.Dispose());
            throw;
        }
    }

    /// <summary>Opens the port of a SOCKS proxy.</summary>
    /// <exception cref="HostSocketException">It cannot be opened: in use, or not the host's address.</exception>
    public static HostPort Open(SocksSpec spec) => new SocksPort(spec, HostListener.Listen(spec.Listen));

    /// <summary>Opens a port that is forwarded.</summary>
    /// <inheritdoc cref="Open(SocksSpec)" path="/exception"/>
    public static HostPort Open(ForwardSpec spec) => spec.Transport == Transport.Tcp
        ? new ForwardPort(spec, HostListener.Listen(spec.Listen))
        : new ForwardDatagramPort(spec, HostDatagramSocket.Bind(spec.Listen));

    public abstract void Dispose();
}

/// <summary>A SOCKS proxy's port.</summary>
public sealed record SocksPort(SocksSpec Spec, HostListener Listener) : HostPort($"socks {Spec}")
{
    public override void Dispose() => Listener.Dispose();
}

/// <summary>A TCP port that is forwarded.</summary>
public sealed record ForwardPort(ForwardSpec Spec, HostListener Listener) : HostPort($"forward {Spec}")
{
    public override void Dispose() => Listener.Dispose();
}

/// <summary>A UDP port that is forwarded.</summary>
public sealed record ForwardDatagramPort(ForwardSpec Spec, HostDatagramSocket Socket) : HostPort($"forward {Spec}")
{
    public override void Dispose() => Socket.Dispose();
}
