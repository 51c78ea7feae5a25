using Tapwire.Wires;

namespace Tapwire.Host.Demo;

/// <summary>The options of the demo: the amount of data, the number of connections, and the impairments of the cable.</summary>
internal sealed record DemoOptions(long Size, int Connections, ulong Seed, CableImpairments Impairments);
