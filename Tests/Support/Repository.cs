using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>The sources that the specs were built from, for those that read them.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "docs", "architecture.md")))
            folder = folder.Parent;
        return Assert.IsType<DirectoryInfo>(folder).FullName;
    }
}
