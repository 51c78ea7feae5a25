using System.Text.RegularExpressions;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>Files and classes of the engine and of the actors stay small enough to be read in one go: what has more duties is several objects.</summary>
public sealed partial class SizeSpec
{
    private const int MaxFile = 400;
    private const int MaxClass = 600;

    private static readonly string Root = Repository.Root;

    private static readonly IReadOnlyList<(string Name, string[] Lines)> Files = [.. new[] { "Stack", "Names", "Actors", "Net", "Lab" }
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.cs", SearchOption.AllDirectories))
        .Where(file => !file.Contains("/obj/", StringComparison.Ordinal) && !file.Contains("/bin/", StringComparison.Ordinal))
        .Select(file => (Path.GetRelativePath(Root, file), File.ReadAllLines(file)))];

    [Fact]
    public void No_file_is_longer_than_400_lines() =>
        Assert.Empty(Files.Where(file => file.Lines.Length > MaxFile).Select(file => $"{file.Name}: {file.Lines.Length}"));

    [Fact]
    public void No_class_is_longer_than_600_lines_in_all_its_parts()
    {
        var classes = Files.SelectMany(file => Types(file.Name, file.Lines)).GroupBy(type => type.Name).Select(type => (Name: type.Key, Lines: type.Sum(part => part.Lines))).ToList();
        Assert.Contains(classes, type => type is { Name: "Tapwire.Stack.NetworkStack", Lines: > 100 });
        Assert.Empty(classes.Where(type => type.Lines > MaxClass).Select(type => $"{type.Name}: {type.Lines}"));
    }

    /// <summary>The types of a file that stand in no other one, each from its first line to its closing brace.</summary>
    private static IEnumerable<(string Name, int Lines)> Types(string file, string[] lines)
    {
        var space = lines.Select(line => Namespace().Match(line)).FirstOrDefault(match => match.Success)?.Groups[1].Value ?? file;
        for (var i = 0; i < lines.Length; i++)
        {
            if (TypeName().Match(lines[i]) is not { Success: true } type)
                continue;
            var end = Array.FindIndex(lines, i, line => line is "}" || line.EndsWith(';') && line.StartsWith("public", StringComparison.Ordinal));
            if (end > i)
                yield return ($"{space}.{type.Groups[1].Value}", end - i + 1);
        }
    }

    [GeneratedRegex(@"^namespace ([\w.]+);")]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^(?:public|internal)\b.*\b(?:class|struct|record|interface) (\w+)")]
    private static partial Regex TypeName();
}
