using Tapwire.Wires;

namespace Tapwire.Host.Demo;

/// <summary>What the demo sends, over how many connections, and what the cable does to it.</summary>
internal sealed record DemoOptions(long Size, int Connections, ulong Seed, CableImpairments Impairments);
