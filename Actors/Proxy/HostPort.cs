using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Proxy;

namespace Tapwire.Actors.Proxy;

/// <summary>An open port of the host: a SOCKS proxy's, or a forwarded one. Its holder disposes it.</summary>
public abstract record HostPort : IDisposable
{
    private protected HostPort(string name) => Name = name;

    /// <summary>The kind of port, and its entry in the settings.</summary>
    public string Name { get; }

    /// <summary>Opens all ports of the settings, or none.</summary>
    /// <exception cref="HostSocketException">A port cannot be opened: it is in use, or its address is not the host's.</exception>
    /// <exception cref="SettingsException">A SOCKS port would be open to other machines, and the settings do not allow that, or name no user and
    /// password.</exception>
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
    /// <exception cref="HostSocketException">The port cannot be opened: it is in use, or its address is not the host's.</exception>
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
