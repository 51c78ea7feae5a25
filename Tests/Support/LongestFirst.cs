using Xunit;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Tapwire.Tests.Support.LongestFirst", "Tapwire.Tests")]

namespace Tapwire.Tests.Support;

/// <summary>The live lines begin first: they take longest, and would run alone at the end.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(static each => each.DisplayName.StartsWith("Live", StringComparison.Ordinal) ? 0 : 1).ThenBy(static each => each.DisplayName, StringComparer.Ordinal);
}
