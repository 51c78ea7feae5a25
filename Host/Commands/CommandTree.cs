using System.CommandLine;
using System.CommandLine.Completions;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary>The commands that users see; the source of completions and manual pages. Hidden commands are left out.</summary>
/// <param name="Names">The words that call it, from the program's name on: <c>tapwire up</c>.</param>
/// <param name="Arguments">Positional arguments.</param>
internal sealed record CommandTree(
    IReadOnlyList<string> Names, string Description, IReadOnlyList<CommandFlag> Flags, IReadOnlyList<CommandOperand> Arguments, IReadOnlyList<CommandTree> Commands)
{
    public string Name => Names[^1];

    /// <summary>The words after the program's name; empty for the program itself.</summary>
    public string Path => string.Join(' ', Names.Skip(1));

    /// <summary>This command and all commands below it, each before its own subcommands.</summary>
    public IEnumerable<CommandTree> All => Commands.SelectMany(static child => child.All).Prepend(this);

    public static CommandTree Of(RootCommand root) => Of(root, ["tapwire"], []);

    private static CommandTree Of(Command command, IReadOnlyList<string> names, IReadOnlyList<Option> inherited)
    {
        var recursive = command.Options.Where(static option => option.Recursive).Concat(inherited).ToList();
        return new CommandTree(
            names,
            command.Description ?? "",
            [.. command.Options.Union(inherited).Where(static option => !option.Hidden).Select(CommandFlag.Of)],
            [.. command.Arguments.Where(static argument => !argument.Hidden).Select(CommandOperand.Of)],
            [.. command.Subcommands.Where(static child => !child.Hidden).Select(child => Of(child, [.. names, child.Name], recursive))]);
    }
}

/// <summary>The type of a value of an option or argument, for a shell's completion.</summary>
internal enum ValueKind
{
    /// <summary>The option takes no value.</summary>
    None,

    /// <summary>A value that a shell cannot complete.</summary>
    Text,

    File,

    /// <summary>One of <see cref="CommandFlag.Choices"/>, or a value that begins with a choice that ends in a colon.</summary>
    Choice,

    /// <summary>A program with its arguments.</summary>
    Program,
}

/// <summary>An option.</summary>
/// <param name="Names">The long name first.</param>
/// <param name="Argument">The placeholder for its value; empty if it takes none.</param>
internal sealed record CommandFlag(IReadOnlyList<string> Names, string Argument, string Description, ValueKind Kind, IReadOnlyList<string> Choices, bool IsRequired,
    bool IsRepeatable)
{
    private static readonly string[] WireKinds = [.. WireRegistry.Kinds.Select(static kind => $"{kind.Name}:")];

    /// <summary>Prefixes of values, for options whose own completions do not list them.</summary>
    private static readonly Dictionary<string, string[]> Beginnings = new()
    {
        ["--wire"] = WireKinds,
        ["--a"] = WireKinds,
        ["--b"] = WireKinds,
        ["--serve"] = ["echo:", "discard:", "source:", "http:", "dhcp"],
        ["--forward"] = ["tcp:", "udp:"],
        ["--expose"] = ["tcp:", "udp:"],
    };

    public static CommandFlag Of(Option option)
    {
        // The library accepts the help options of every system. The pages name those of Linux.
        var names = option.Aliases.Prepend(option.Name).Where(static name => name.StartsWith('-') && name != "-?").Distinct()
            .OrderByDescending(static name => name.StartsWith("--", StringComparison.Ordinal)).ToList();
        var hasValue = option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) && option.ValueType != typeof(void);
        string[] choices = !hasValue ? [] : Beginnings.TryGetValue(option.Name, out var beginnings)
            ? beginnings
            : [.. option.GetCompletions(CompletionContext.Empty).Select(static item => item.Label.ToLowerInvariant())];
        var argument = !hasValue ? "" : option.HelpName ?? (choices.Length > 0 ? option.Name.TrimStart('-').ToUpperInvariant() : "VALUE");
        var kind = !hasValue ? ValueKind.None
            : argument is "FILE" or "PATH" or "DIRECTORY" ? ValueKind.File
            : choices.Length > 0 ? ValueKind.Choice
            : ValueKind.Text;
        return new CommandFlag(names, argument, option.Description ?? "", kind, choices, option.Required, option.Arity.MaximumNumberOfValues > 1);
    }
}

/// <summary>A positional argument.</summary>
internal sealed record CommandOperand(string Name, string Description, ValueKind Kind, IReadOnlyList<string> Choices, bool IsRequired, bool IsRepeatable)
{
    public static CommandOperand Of(Argument argument)
    {
        string[] choices = [.. argument.GetCompletions(CompletionContext.Empty).Select(static item => item.Label)];
        var kind = argument.ValueType == typeof(string[]) ? ValueKind.Program : choices.Length > 0 ? ValueKind.Choice : ValueKind.Text;
        return new CommandOperand(argument.HelpName ?? argument.Name.ToUpperInvariant(), argument.Description ?? "", kind, choices,
            argument.Arity.MinimumNumberOfValues > 0, argument.Arity.MaximumNumberOfValues > 1);
    }
}
