namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.guests</c>: bounds of the network namespaces that the driver serves.</summary>
/// <param name="MaxGuests">Guests at a time.</param>
/// <param name="MaxConnections">Limit of a guest's simultaneous connections, those included that are being made.</param>
/// <param name="MaxFlows">Limit of a guest's flows of datagrams, and of its echo requests under way.</param>
/// <param name="FlowIdle">How long a flow is remembered without a datagram.</param>
public sealed record GuestSettings(int MaxGuests, int MaxConnections, int MaxFlows, TimeSpan FlowIdle);
