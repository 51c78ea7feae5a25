using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>Specs that look at what the whole process holds: they run when no other does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "alone";
}
