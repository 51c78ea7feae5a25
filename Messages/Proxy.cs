namespace Tapwire.Messages;

/// <summary>ProxyActor's answer to <see cref="StatusRequest"/>: one entry for each port that it serves.</summary>
public sealed record ProxyStatus(IReadOnlyList<ProxyPortStatus> Ports);

/// <summary>The answer of a port's actor to <see cref="StatusRequest"/>. All but <paramref name="Open"/> are totals since the start.</summary>
/// <param name="Name">As it is written in the settings, after what it is: "socks 127.0.0.1:1080", "forward tcp:...", "expose udp:...".</param>
/// <param name="Open">Connections, or UDP clients, at this moment.</param>
/// <param name="Accepted">Connections, or UDP clients, so far.</param>
/// <param name="Refused">Connections, or datagrams of new UDP clients, for which there was no room.</param>
/// <param name="Failed">Of the accepted, the ones that came to nothing: a handshake that failed, a destination that could not be reached.</param>
/// <param name="DatagramsDropped">Datagrams that could not be passed on.</param>
public sealed record ProxyPortStatus(string Name, int Open, long Accepted, long Refused, long Failed, long DatagramsDropped);
