using System.Net;

namespace Tapwire;

/// <summary>What the driver has found of a name.</summary>
/// <param name="Addresses">Those that the driver reaches best first.</param>
/// <param name="Name">The canonical name: where aliases lead.</param>
public sealed record ResolvedHost(IReadOnlyList<IPAddress> Addresses, string Name);
