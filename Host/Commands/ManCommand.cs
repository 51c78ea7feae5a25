using System.CommandLine;
using System.Reflection;
using Tapwire.Configuration;
using Tapwire.Host.Manual;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire man</c>: writes the manual pages for a package, generated from the commands and settings.</summary>
internal static class ManCommand
{
    private static readonly Argument<string?> Page = new("PAGE")
    {
        Description = "A command, or tapwire.hocon; tapwire itself when not given.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Option<string?> Into = new("--directory") { Description = "Writes all pages as files into this directory.", HelpName = "DIRECTORY" };

    private static string Version => Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private static string Date => Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().First(static data => data.Key == "VersionDate").Value!;

    public static Command Create()
    {
        var command = new Command("man", "Prints a manual page in roff, or writes all of them.") { Page, Into };
        command.Hidden = true;
        command.SetAction(Run);
        return command;
    }

    /// <summary>All pages by file name.</summary>
    internal static IReadOnlyDictionary<string, string> Pages(RootCommand root)
    {
        var tree = CommandTree.Of(root);
        var pages = tree.Commands.Prepend(tree).ToDictionary(static command => CommandPage.PageName(command) + ".1", command => CommandPage.Write(tree, command, Version, Date));
        pages.Add(SettingsPage.Name + ".5", SettingsPage.Write(HostConfiguration.DefaultText, Version, Date));
        return pages;
    }

    private static int Run(ParseResult parsed)
    {
        var pages = Pages((RootCommand)parsed.RootCommandResult.Command);
        if (parsed.GetValue(Into) is { } directory)
        {
            if (!Directory.Exists(directory))
                throw new CommandFailedException($"'{directory}', where the manual pages are to be, is not a directory; make it first.");
            foreach (var (name, text) in pages)
                File.WriteAllText(Path.Combine(directory, name), text);
            return ExitCode.Done;
        }

        var asked = parsed.GetValue(Page) switch { null or "tapwire" => "tapwire.1", SettingsPage.Name => SettingsPage.Name + ".5", var command => $"tapwire-{command}.1" };
        if (!pages.TryGetValue(asked, out var page))
            throw new Actors.Settings.SettingsException($"There is no manual page of {parsed.GetValue(Page)}; there are those of tapwire, {string.Join(", ", pages.Keys.Where(static name => name.StartsWith("tapwire-", StringComparison.Ordinal)).Select(static name => name["tapwire-".Length..^2]))} and {SettingsPage.Name}.");
        Console.Write(page);
        return ExitCode.Done;
    }
}
