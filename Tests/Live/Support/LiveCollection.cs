using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>Specs with the kernel as a peer: they share the machine's cores and run one after the other.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LiveCollection
{
    public const string Name = "Live";
}
