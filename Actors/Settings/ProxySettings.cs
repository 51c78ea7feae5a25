using Tapwire.Proxy;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.socks</c>.</summary>
/// <param name="User">Empty: clients need no user name and password.</param>
/// <param name="Destinations">Allowed destinations of clients; empty: any.</param>
public sealed record SocksSettings(IReadOnlyList<SocksSpec> Listen, string User, string Password, bool AllowRemote, IReadOnlyList<IpPrefix> Destinations)
{
    /// <summary>The user that clients must authenticate as; null: none.</summary>
    public ProxyUser? ProxyUser => User.Length == 0 ? null : new ProxyUser(User, Password);

    /// <summary>Checks what single settings do not show: a user needs a password, and a proxy that other machines can reach must be intended, and authenticate
    /// its clients.</summary>
    /// <exception cref="SettingsException">The settings contradict each other.</exception>
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
/// <param name="MaxConnections">Limit per listening port.</param>
/// <param name="MaxFlows">Limit of simultaneous UDP clients per forwarded port.</param>
public sealed record ProxySettings(int MaxConnections, TimeSpan HandshakeTimeout, TimeSpan ConnectTimeout, int MaxFlows, TimeSpan FlowIdle);
