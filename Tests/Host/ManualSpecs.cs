using System.CommandLine;
using System.Text.RegularExpressions;
using Tapwire.Host;
using Tapwire.Host.Commands;
using Tapwire.Configuration;
using Tapwire.Host.Manual;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary><c>tapwire man</c>: the pages say what there is, all of it, and nothing else.</summary>
[Collection(HostCollection.Name)]
public sealed partial class ManualSpecs : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-man-");

    private static readonly RootCommand Root = TapwireCommandLine.Create();

    public static TheoryData<string> Commands => [.. CommandTree.Of(Root).Commands.Select(static command => command.Name)];

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_page_has_every_option_of_its_command(string name)
    {
        var page = await PageAsync(name);
        var command = CommandTree.Of(Root).Commands.Single(command => command.Name == name);
        foreach (var child in command.Commands)
        {
            Assert.Contains($"\n.SY \"{string.Join(' ', child.Names)}\"", page, StringComparison.Ordinal);
            Assert.Contains($"\n.SH \"OPTIONS OF {child.Name.ToUpperInvariant()}\"", page, StringComparison.Ordinal);
            foreach (var operand in child.Arguments)
                Assert.Contains($"\n{Roff.Italic(operand.Name)}\n{Roff.Escape(operand.Description, isProse: true)}", page, StringComparison.Ordinal);
        }

        foreach (var flag in command.All.SelectMany(static part => part.Flags))
            Assert.Contains($"\n{Roff.Bold(flag.Names[0])}", page, StringComparison.Ordinal);
        foreach (var section in (string[])["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"])
            Assert.Matches($"(?m)^\\.SH \"?{section}\"?$", page);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_pages_examples_are_command_lines_that_are_accepted(string name)
    {
        Assert.NotEmpty(CommandNotes.Of(name).Examples);
        foreach (var line in CommandNotes.Of(name).Examples.SelectMany(static example => example.Lines.Replace("\\\n", "", StringComparison.Ordinal).Split('\n')))
        {
            var arguments = Tapwire().Match(line) is { Success: true } match ? match.Groups[1].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
            if (arguments.Length > 0)
                Assert.Equal((line, ""), (line, string.Join(' ', Root.Parse(arguments).Errors.Select(static error => error.Message))));
        }
    }

    [Fact]
    public async Task The_programs_own_page_names_its_commands()
    {
        var page = await PageAsync();
        foreach (var command in CommandTree.Of(Root).Commands)
            Assert.Contains($"\n\\fBtapwire {command.Name}\\fR\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_setting_has_its_place_in_the_settings_page_and_a_description()
    {
        var entries = SettingsPage.Read(HostConfiguration.DefaultText).ToList();
        var described = entries.SelectMany(static entry => entry.Keys.Select(key => $"{entry.Section}.{key.Split('=')[0].Trim()}"));
        var settings = HostConfiguration.Defaults.Keys.Where(static key => !key.Value.IsSection).Select(static key => key.Key);
        Assert.Equal(settings.Order(), described.Order());
        Assert.Empty(entries.Where(static entry => entry.Description.Length == 0).SelectMany(static entry => entry.Keys));
    }

    [Fact]
    public async Task All_pages_are_written_into_a_directory()
    {
        var (code, output, error) = await CommandLineRun.OfAsync("man", "--directory", _directory.FullName);
        Assert.Equal((0, "", ""), (code, output, error));
        var expected = CommandTree.Of(Root).Commands.Select(static command => $"tapwire-{command.Name}.1").Concat(["tapwire.1", "tapwire.hocon.5"]);
        Assert.Equal(expected.Order(), _directory.EnumerateFiles().Select(static file => file.Name).Order());
        Assert.All(_directory.EnumerateFiles(), static file => Assert.Equal((byte)'.', File.ReadAllBytes(file.FullName)[0]));
    }

    [Fact]
    public async Task A_page_that_is_not_there_is_refused_with_those_that_are()
    {
        var (code, output, error) = await CommandLineRun.OfAsync("man", "fly");
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("there are those of tapwire, demo, up,", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("well-known ports", "well-known ports")]
    [InlineData("--wire and -c", "\\-\\-wire and \\-c")]
    [InlineData("tapwire.tcp.min-rto says", "tapwire.tcp.min\\-rto says")]
    [InlineData(".hidden 'a' \"b\" c\\d", "\\&.hidden \\(aqa\\(aq \\(dqb\\(dq c\\ed")]
    public void Prose_shows_in_roff_as_it_is(string text, string expected) => Assert.Equal(expected, Roff.Escape(text, isProse: true));

    private static async Task<string> PageAsync(params string[] name)
    {
        var (code, output, error) = await CommandLineRun.OfAsync(["man", .. name]);
        Assert.Equal((0, ""), (code, error));
        return output;
    }

    /// <summary>The arguments of a line that runs the program and nothing after it.</summary>
    [GeneratedRegex(@"(?:^|<\()tapwire ([^>;)]*)")]
    private static partial Regex Tapwire();
}
