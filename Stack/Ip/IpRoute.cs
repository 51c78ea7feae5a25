using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Ip;

/// <summary>The route to a destination.</summary>
/// <param name="Source">The address that this stack uses towards the destination.</param>
/// <param name="Mtu">Largest IP packet on that path, in bytes.</param>
/// <param name="SuperFrame">Largest IP packet that the device cuts into segments; equals <paramref name="Mtu"/> where it cuts none.</param>
/// <param name="Interface">The index of the egress interface, or <see cref="InterfaceTable.Loopback"/>.</param>
/// <param name="ToGroup">The destination is a broadcast or multicast address: no connection leads there.</param>
internal readonly record struct IpRoute(IpAddress Source, int Mtu, int SuperFrame, byte Interface, bool ToGroup = false);
