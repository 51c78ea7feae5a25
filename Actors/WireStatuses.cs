using Tapwire.Links.Protocol;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>A wire's state in the words of the status.</summary>
internal static class WireStatuses
{
    public static PeerStatus PeerOf(WirePeer peer) => new(peer.PublicKey, peer.Endpoint, peer.AllowedIps, peer.SinceHandshake, peer.UnansweredFor, peer.BytesReceived, peer.BytesSent,
        peer.PersistentKeepalive);

    public static string OffloadsOf(IWire wire)
    {
        var device = wire.Offloads & ~wire.SoftwareOffloads;
        return (device, wire.SoftwareOffloads) switch
        {
            (_, WireOffloads.None) => $"{device}",
            (WireOffloads.None, var own) => $"{own} (software)",
            (_, var own) => $"{device}; {own} (software)",
        };
    }
}
