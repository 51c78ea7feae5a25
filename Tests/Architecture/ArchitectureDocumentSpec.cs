using System.Text.RegularExpressions;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>docs/architecture.md names files, folders, types and members that exist, so that it does not become folklore.</summary>
public sealed partial class ArchitectureDocumentSpec
{
    private static readonly string Root = Repository.Root;

    /// <summary>The product's sources: what stands in them, by the file.</summary>
    private static readonly Dictionary<string, string> Sources = new[] { "Stack", "Posix", "Wires", "Links", "Names", "Proxy", "Messages", "Actors", "Client", "Configuration", "Net", "AspNetCore", "Lab", "Host", "Tests" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
        .ToDictionary(file => Path.GetRelativePath(Root, file), File.ReadAllText);

    public static TheoryData<string> Names => [.. Code().Matches(File.ReadAllText(Path.Combine(Root, "docs", "architecture.md")))
        .Select(match => match.Groups[1].Value)
        .Where(name => Name().IsMatch(name))
        .Distinct()];

    [Theory]
    [MemberData(nameof(Names))]
    public void What_the_document_names_exists(string name) => Assert.True(Exists(name), $"There is no '{name}'.");

    [Theory]
    [InlineData("Stack/NoSuchFile")]
    [InlineData("NoSuchActor")]
    [InlineData("NetworkStack.NoSuchMember")]
    public void What_does_not_exist_is_noticed(string name)
    {
        Assert.Matches(Name(), name);
        Assert.False(Exists(name));
    }

    /// <summary>Names are of a folder, a file with or without its folder, a type, or a type and its member or its file for that.</summary>
    private static bool Exists(string name)
    {
        if (Directory.Exists(Path.Combine(Root, name)) || File.Exists(Path.Combine(Root, name)))
            return true;
        var (folder, rest) = name.LastIndexOf('/') is var slash and >= 0 ? (name[..(slash + 1)], name[(slash + 1)..]) : ("", name);
        var places = Sources.Keys.Where(file => file.Contains(folder, StringComparison.Ordinal)).ToList();
        if (places.Exists(file => Path.GetFileName(file) == $"{rest}.cs"))
            return true;
        var parts = rest.Split('.', 2);
        var declaring = places.Where(file => Regex.IsMatch(Sources[file], $@"\b(class|record|struct|interface|enum) {parts[0]}\b")).ToList();
        return declaring.Count > 0 && (parts.Length == 1 || declaring.Exists(file => Regex.IsMatch(Sources[file], $@"\b{parts[1]}\b")));
    }

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    /// <summary>Capitalised, as all names of ours are: system calls and the original's functions are not.</summary>
    [GeneratedRegex(@"^[A-Z]\w+(/\w*)*(\.\w+)?$")]
    private static partial Regex Name();
}
