using Tapwire.Host.Commands;

namespace Tapwire.Host.Manual;

/// <summary>The manual page of a command, generated from the definition of its command line and <see cref="CommandNotes"/>.</summary>
internal static class CommandPage
{
    private static readonly string Program = $"{Roff.Italic("PROGRAM")} [{Roff.Italic("ARGUMENT")}]...";

    public static string Write(CommandTree root, CommandTree command, string version, string date)
    {
        var notes = CommandNotes.Of(command.Name);
        var page = new Roff(PageName(command), 1, date, $"Tapwire {version}");
        page.Section("NAME");
        page.Line($"{Roff.Escape(PageName(command))} \\- {Roff.Escape(Summary(command.Description), isProse: true)}");
        page.Section("SYNOPSIS");
        foreach (var part in command == root || command.Commands.Count == 0 ? [command] : command.Commands)
            WriteSynopsis(page, part);
        page.Section("DESCRIPTION");
        page.Text(command.Description);
        foreach (var paragraph in notes.Paragraphs)
            page.Paragraph(paragraph);
        if (command.Commands.Count > 0)
        {
            page.Section("COMMANDS");
            foreach (var child in command.Commands)
                page.Item([$"{Roff.Bold(string.Join(' ', child.Names))}"], child.Description);
        }

        // The program's own page has no arguments and options of its commands, because these have pages of their own.
        foreach (var part in command == root ? [command] : command.All)
            WriteParts(page, command, part);
        page.Section("EXIT STATUS");
        foreach (var (code, meaning) in notes.ExitCodes.Count > 0 ? notes.ExitCodes : CommandNotes.ExitStatus)
            page.Item([Roff.Bold(code)], meaning);
        if (notes.Files.Count > 0)
        {
            page.Section("FILES");
            foreach (var (path, meaning) in notes.Files)
                page.Item([Roff.Italic(path)], meaning);
        }

        if (notes.Examples.Count > 0)
        {
            page.Section("EXAMPLES");
            foreach (var (meaning, lines) in notes.Examples)
            {
                page.Paragraph(meaning);
                page.Example(lines);
            }
        }

        page.Section("SEE ALSO");
        WriteSeeAlso(page, root, command);
        return page.ToString();
    }

    public static string PageName(CommandTree command) => string.Join('-', command.Names);

    /// <summary>Writes arguments and options of the page's command, or of a subcommand.</summary>
    private static void WriteParts(Roff page, CommandTree own, CommandTree part)
    {
        var of = part == own ? "" : $" OF {part.Name.ToUpperInvariant()}";
        if (part.Arguments.Count > 0)
        {
            page.Section($"ARGUMENTS{of}");
            foreach (var operand in part.Arguments)
                page.Item([operand.Kind == ValueKind.Program ? Program : Roff.Italic(operand.Name)], operand.Description);
        }

        // A command with subcommands has only the options that all commands have.
        page.Section($"OPTIONS{of}");
        foreach (var flag in part.Flags)
            page.Item([Tag(flag)], Description(flag));
    }

    private static void WriteSynopsis(Roff page, CommandTree command)
    {
        page.Line($".SY \"{Roff.Escape(string.Join(' ', command.Names))}\"");
        foreach (var flag in command.Flags.Where(static flag => flag.IsRequired))
            page.Line(Tag(flag));
        page.Line("[" + Roff.Italic("OPTION") + "]...");
        if (command.Commands.Count > 0)
            page.Line(Roff.Italic("COMMAND") + " [" + Roff.Italic("ARGUMENT") + "]...");
        foreach (var operand in command.Arguments)
        {
            var text = operand.Kind == ValueKind.Program
                ? $"{Roff.Bold("--")} {Program}"
                : Roff.Italic(operand.Name) + (operand.IsRepeatable ? "..." : "");
            page.Line(operand.IsRequired ? text : $"[{text}]");
        }

        page.Line(".YS");
    }

    private static string Tag(CommandFlag flag) =>
        string.Join(", ", flag.Names.Select(Roff.Bold)) + (flag.Argument.Length == 0 ? "" : $" {Roff.Italic(flag.Argument)}");

    private static string Description(CommandFlag flag)
    {
        var text = flag.Description;
        if (flag.Kind == ValueKind.Choice && !flag.Choices[0].EndsWith(':') && !flag.Choices.All(choice => text.Contains(choice, StringComparison.OrdinalIgnoreCase)))
            text += $" One of {string.Join(", ", flag.Choices)}.";
        if (flag.IsRequired)
            text += " Must be given.";
        return text;
    }

    /// <summary>The first sentence in the style of whatis(1): without its full stop, and without an initial capital unless it begins with a name.</summary>
    private static string Summary(string description)
    {
        var end = description.IndexOfAny(['.', ':']);
        var sentence = end < 0 ? description : description[..end];
        return sentence.Length > 1 && char.IsLower(sentence[1]) ? char.ToLowerInvariant(sentence[0]) + sentence[1..] : sentence;
    }

    private static void WriteSeeAlso(Roff page, CommandTree root, CommandTree command)
    {
        var pages = root.Commands.Prepend(root).Where(other => other != command && CommandNotes.Of(command.Name).IsRelatedTo(other.Name))
            .Select(static other => (Name: PageName(other), Section: 1)).Append((Name: "tapwire.hocon", Section: 5)).OrderBy(static page => (page.Section, page.Name)).ToList();
        for (var i = 0; i < pages.Count; i++)
            page.Line($".BR {Roff.Escape(pages[i].Name)} ({pages[i].Section}){(i < pages.Count - 1 ? "," : "")}");
    }
}
