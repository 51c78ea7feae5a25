using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>Specs with the kernel as a peer: they share the machine's cores and run one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LiveCollection
{
    public const string Name = "Live";
}

/// <summary>
/// Live specs that mostly wait, for programs to start and to end: they run one after the other, too, but beside the specs in virtual time.
/// </summary>
[CollectionDefinition(Name)]
public sealed class LiveProgramsCollection
{
    public const string Name = "Live programs";
}
