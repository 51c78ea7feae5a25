using Tapwire.Stack.Ip;

namespace Tapwire.Wires;

/// <summary>How loud the log says it.</summary>
public enum WireNoticeLevel
{
    Debug,
    Information,
    Warning,
}

/// <summary>Something that an operator wants to know, in a sentence without a full stop at its end.</summary>
public readonly record struct WireNotice(WireNoticeLevel Level, string Text);

/// <summary>The other end of a tunnel, as 'wg show' shows it.</summary>
/// <param name="PublicKey">In base64.</param>
/// <param name="Endpoint">Null: not known yet.</param>
/// <param name="SinceHandshake">Since the latest handshake; null: there was none.</param>
/// <param name="UnansweredFor">Since the first initiation that nothing has answered; null: all are answered.</param>
/// <param name="PersistentKeepalive">Zero: off.</param>
public sealed record WirePeer(string PublicKey, IpEndpoint? Endpoint, IReadOnlyList<IpPrefix> AllowedIps, TimeSpan? SinceHandshake, TimeSpan? UnansweredFor, long BytesReceived, long BytesSent,
    TimeSpan PersistentKeepalive);

/// <summary>A wire with a protocol and a configuration of its own, as WireGuard's. The owner asks it after each report and each read.</summary>
public interface IProtocolWire : IWire
{
    IReadOnlyList<WirePeer> Peers { get; }

    /// <summary>Its counters above 0, by name.</summary>
    IReadOnlyDictionary<string, long> Counters { get; }

    /// <summary>Who sees the tunnel's datagrams from now on; null: nobody. A wire without a tunnel has none to show.</summary>
    ITunnelObserver? TunnelObserver
    {
        get => null;
        set { }
    }

    /// <summary>Takes the next thing for the log.</summary>
    bool TryTakeNotice(out WireNotice notice);

    /// <summary>Reads its configuration again, and applies what a running wire can change. What is wrong with it is a notice, and changes nothing.</summary>
    void Reread();
}
