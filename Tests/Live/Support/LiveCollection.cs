using Xunit;

namespace Tapwire.Tests.Live.Support;

// Live specs wait most of the time: for packets, for programs to start and to end. So they run in several lines beside each other, and beside the specs in virtual time. Nothing that they assert depends on how
// fast they are. Each has namespaces of its own.

/// <summary>Specs of a driver with the kernel as a peer, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class LiveCollection
{
    public const string Name = "Live";
}

/// <summary>Specs of wires, and of what else is on a network: one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class LiveNetworksCollection
{
    public const string Name = "Live networks";
}

/// <summary>Specs of programs under <c>tapwire run</c>, one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class LiveProgramsCollection
{
    public const string Name = "Live programs";
}

/// <summary>Specs of proxies and forwards, names and addresses that others give: one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class LiveServicesCollection
{
    public const string Name = "Live services";
}
