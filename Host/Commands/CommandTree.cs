using System.CommandLine;
using System.CommandLine.Completions;
using Tapwire.Wires;

namespace Tapwire.Host.Commands;

/// <summary>The commands as their users see them: what completions and manual pages are made from. Hidden ones are left out.</summary>
/// <param name="Names">How it is called from the program's name on: <c>tapwire up</c>.</param>
/// <param name="Arguments">What follows the options.</param>
internal sealed record CommandTree(
    IReadOnlyList<string> Names, string Description, IReadOnlyList<CommandFlag> Flags, IReadOnlyList<CommandOperand> Arguments, IReadOnlyList<CommandTree> Commands)
{
    public string Name => Names[^1];

    /// <summary>How it is called behind the program's name; empty for the program itself.</summary>
    public string Path => string.Join(' ', Names.Skip(1));

    /// <summary>This command and those below it, each before its own.</summary>
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

/// <summary>What the value of an option or argument is, as far as a shell can help with it.</summary>
internal enum ValueKind
{
    /// <summary>Nothing follows the option.</summary>
    None,

    /// <summary>Known to the user alone.</summary>
    Text,

    File,

    /// <summary>One of <see cref="CommandFlag.Choices"/>, or something that begins with one that ends in a colon.</summary>
    Choice,

    /// <summary>A program and its arguments.</summary>
    Program,
}

/// <summary>An option.</summary>
/// <param name="Names">The long one first.</param>
/// <param name="Argument">What stands for its value; empty if it has none.</param>
internal sealed record CommandFlag(IReadOnlyList<string> Names, string Argument, string Description, ValueKind Kind, IReadOnlyList<string> Choices, bool IsRequired,
    bool IsRepeatable)
{
    private static readonly string[] WireKinds = [.. WireRegistry.Kinds.Select(static kind => $"{kind.Name}:")];

    /// <summary>How values begin, where that is not for the option itself to say.</summary>
    private static readonly Dictionary<string, string[]> Beginnings = new()
    {
        ["--wire"] = WireKinds,
        ["--a"] = WireKinds,
        ["--b"] = WireKinds,
        ["--serve"] = ["echo:", "discard:", "source:", "http:"],
        ["--forward"] = ["tcp:", "udp:"],
        ["--expose"] = ["tcp:", "udp:"],
    };

    public static CommandFlag Of(Option option)
    {
        // Help is asked for in every way that any system has; the pages name those of this one.
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

/// <summary>What follows the options.</summary>
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
