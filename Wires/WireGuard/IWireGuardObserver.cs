using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires.WireGuard;

/// <summary>Is told what an operator wants to know. Called within the engine's calls; short, and must not throw or call the engine.</summary>
internal interface IWireGuardObserver
{
    /// <summary>There is a session.</summary>
    /// <param name="unansweredSince">When the peer had fallen silent; null: it had not.</param>
    void SessionBegun(WireGuardPeer peer, Instant? unansweredSince, Instant now);

    /// <summary>An initiation has not been answered in time. Told for each.</summary>
    void HandshakeUnanswered(WireGuardPeer peer, Instant since, Instant now);

    /// <summary>A genuine message has come from another address than the one before.</summary>
    void EndpointMoved(WireGuardPeer peer, IpEndpoint from, IpEndpoint to);
}
