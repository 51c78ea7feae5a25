using Tapwire.Proxy;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.socks</c>.</summary>
/// <param name="User">Empty: everybody who can connect is let in.</param>
/// <param name="Destinations">Where clients may go; empty: anywhere.</param>
public sealed record SocksSettings(IReadOnlyList<SocksSpec> Listen, string User, string Password, bool AllowRemote, IReadOnlyList<IpPrefix> Destinations)
{
    /// <summary>Who is let in; null: everybody.</summary>
    public ProxyUser? ProxyUser => User.Length == 0 ? null : new ProxyUser(User, Password);

    /// <summary>What single settings do not show: user and password belong together, and a proxy that other machines can reach has to be meant, and to ask who
    /// they are.</summary>
    /// <exception cref="SettingsException">It is otherwise.</exception>
    public void Check()
    {
        if (User.Length > 0 != Password.Length > 0)
            throw new SettingsException($"tapwire.socks.{(User.Length > 0 ? "user" : "password")} is given without tapwire.socks.{(User.Length > 0 ? "password" : "user")}.");
        if (Listen.FirstOrDefault(static spec => !spec.Listen.Address.IsLoopback) is not { } open)
            return;
        if (!AllowRemote)
            throw new SettingsException($"The SOCKS proxy would listen on {open}, which other machines can reach; set tapwire.socks.allow-remote = on if that is meant.");
        if (User.Length == 0)
            throw new SettingsException($"The SOCKS proxy would let everybody in who reaches {open}; give tapwire.socks.user and tapwire.socks.password.");
    }
}

/// <summary>Section <c>tapwire.proxy</c>: bounds of the SOCKS proxy and of forwarded ports.</summary>
/// <param name="MaxConnections">Per listening port.</param>
/// <param name="MaxFlows">UDP clients at a time, per forwarded port.</param>
public sealed record ProxySettings(int MaxConnections, TimeSpan HandshakeTimeout, TimeSpan ConnectTimeout, int MaxFlows, TimeSpan FlowIdle);
