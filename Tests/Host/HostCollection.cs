using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>Specs of the console program in this process: there is one console.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class HostCollection
{
    public const string Name = "Host";
}
