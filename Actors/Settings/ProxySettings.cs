using Tapwire.Links.Proxy;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.socks</c>.</summary>
/// <param name="User">Empty: everybody who can connect is let in.</param>
/// <param name="Destinations">Where clients may go; empty: anywhere.</param>
public sealed record SocksSettings(IReadOnlyList<SocksSpec> Listen, string User, string Password, bool AllowRemote, IReadOnlyList<IpPrefix> Destinations)
{
    internal static SocksSettings Read(SettingsReader read)
    {
        var user = read.Text("socks.user");
        var password = read.Text("socks.password");
        if (user.Length > 0 && !ProxyUser.IsUsable(user, isName: true))
            throw read.Bad("socks.user", user, "empty or from 1 to 255 bytes without a colon");
        if (password.Length > 0 && !ProxyUser.IsUsable(password, isName: false))
            throw read.Bad("socks.password", "...", "empty or from 1 to 255 bytes");
        return new SocksSettings(read.List<SocksSpec>("socks.listen", SocksSpec.TryParse, SocksSpec.Accepted), user, password, read.Switch("socks.allow-remote"),
            [.. read.List("socks.destinations", static text => IpPrefix.TryParse(text, null, out var prefix) ? new Boxed(prefix) : null, "ADDRESS/LENGTH, as in 10.99.0.0/24")
                .Select(static box => box.Prefix)]);
    }

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

    private sealed record Boxed(IpPrefix Prefix);
}

/// <summary>Section <c>tapwire.proxy</c>: bounds of the SOCKS proxy and of forwarded ports.</summary>
/// <param name="MaxConnections">Per listening port.</param>
/// <param name="MaxFlows">UDP clients at a time, per forwarded port.</param>
public sealed record ProxySettings(int MaxConnections, TimeSpan HandshakeTimeout, TimeSpan ConnectTimeout, int MaxFlows, TimeSpan FlowIdle)
{
    internal static ProxySettings Read(SettingsReader read)
    {
        var least = TimeSpan.FromMilliseconds(1);
        var most = TimeSpan.FromHours(1);
        return new ProxySettings(read.Number("proxy.max-connections", 1, 1 << 20), read.Time("proxy.handshake-timeout", least, most),
            read.Time("proxy.connect-timeout", least, most), read.Number("proxy.max-flows", 1, 65536), read.Time("proxy.flow-idle", least, TimeSpan.FromDays(1)));
    }
}
