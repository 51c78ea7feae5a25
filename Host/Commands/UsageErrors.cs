using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Tapwire.Configuration;
using Tapwire.Posix;

namespace Tapwire.Host.Commands;

/// <summary>The problems of a command line, one line each, in the words of the user who types it.</summary>
internal static class UsageErrors
{
    private const int MaxListed = 8;
    private const int MaxElsewhere = 3;

    public static IEnumerable<string> Of(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var unknown = Unknown(parsed, command).ToList();
        foreach (var error in parsed.Errors)
        {
            // The library has taken an unknown option for the argument. That option has been reported already.
            if (error.SymbolResult is ArgumentResult { Parent: CommandResult } argument && StrayOption(parsed) is { } stray && argument.Tokens.Any(token => token.Value == stray))
                continue;
            // The library's message about an unknown word has no suggestion; Unknown() words it better. What is missing besides may be what an unknown word was meant to be.
            if (parsed.UnmatchedTokens.Any(token => error.Message.Contains($"'{token}'", StringComparison.Ordinal)))
                continue;
            if (Reworded(error) is { } line && !(unknown.Count > 0 && IsMissing(error)))
                unknown.Add(line);
        }

        return unknown.Distinct();
    }

    private static IEnumerable<string> Unknown(ParseResult parsed, Command command)
    {
        // With another error on the line, a surplus word is often its consequence, and the other message is the better one.
        var isAfterUnknown = command is { Arguments.Count: 0, Subcommands.Count: 0 } && parsed.Errors.Any(error => !parsed.UnmatchedTokens.Any(token => error.Message.Contains($"'{token}'", StringComparison.Ordinal)));
        if (StrayOption(parsed) is { } stray)
        {
            yield return UnknownOption(stray, command);
            isAfterUnknown = true;
        }

        foreach (var token in parsed.UnmatchedTokens)
        {
            var isOption = token is ['-', _, ..];
            // A word after an unknown option may be the option's value, and words after an unknown command belong to that command: neither is reported.
            if (isOption)
                yield return UnknownOption(token, command);
            else if (!isAfterUnknown)
                yield return command.Subcommands.Count > 0 ? UnknownCommand(token, command) : UnknownArgument(token, command);
            if (command.Subcommands.Count > 0)
                yield break;
            isAfterUnknown = true;
        }
    }

    /// <summary>The first argument, if it looks like an option and does not follow "--".</summary>
    public static string? StrayOption(ParseResult parsed) =>
        parsed.CommandResult.Command.Arguments is [var argument, ..] && parsed.GetResult(argument)?.Tokens is [{ Value: ['-', _, ..] first }, ..]
            && parsed.Tokens.TakeWhile(static token => token.Type != TokenType.DoubleDash).Any(token => token.Value == first)
                ? first
                : null;

    private static string UnknownCommand(string token, Command group)
    {
        var names = NamesOfCommands(group);
        var closest = Closest(token, names);
        return $"'{Complaint.Short(token)}' is no command{(group is RootCommand ? "" : $" of '{Path(group)}'")}; "
            + (closest is null ? $"there are {string.Join(", ", names)}." : $"did you mean '{closest}'?");
    }

    private static List<string> NamesOfCommands(Command group) => [.. group.Subcommands.Where(static command => !command.Hidden).Select(static command => command.Name)];

    private static string UnknownOption(string token, Command command)
    {
        var name = token.Split('=', ':')[0];
        var path = Path(command);
        var head = $"'{Complaint.Short(name)}' is no option of '{path}'";
        var own = Names(command).ToList();
        var elsewhere = Descendants(Root(command)).Where(other => other != command && Names(other).Contains(name)).Select(Path).ToList();
        if (elsewhere.Count > 0)
            return $"{head}; {Listed(elsewhere)} {(elsewhere.Count == 1 ? "has" : "have")} it.";
        if (Closest(name, own) is { } closest)
            return $"{head}; did you mean '{closest}'?";
        if (command.Arguments.Any(static argument => argument.Arity.MaximumNumberOfValues > 1))
            return $"{head}; write -- before the program, and its own options after its name.";
        var whole = own.Where(static option => option.StartsWith("--", StringComparison.Ordinal)).ToList();
        return $"{head}; it has {string.Join(", ", whole.Take(MaxListed))}{(whole.Count > MaxListed ? " and others" : "")}.";
    }

    private static string Listed(IReadOnlyList<string> commands)
    {
        var quoted = commands.Select(static other => $"'{other}'").ToList();
        return quoted.Count > MaxElsewhere ? $"{string.Join(", ", quoted.Take(MaxElsewhere))} and others"
            : quoted.Count == 1 ? quoted[0]
            : $"{string.Join(", ", quoted.SkipLast(1))} and {quoted[^1]}";
    }

    private static string UnknownArgument(string token, Command command) => command.Arguments.Count == 0
        ? $"'{Complaint.Short(token)}' is too much: '{Path(command)}' takes options only, each with its name before it."
        : $"'{Complaint.Short(token)}' is too much: '{Path(command)}' takes one {command.Arguments[0].Name}; leave it away.";

    /// <summary>The message in our words; null for an error that is reported otherwise.</summary>
    private static string? Reworded(ParseError error) => error.SymbolResult switch
    {
        OptionResult { Option: var option, IdentifierTokenCount: > 1 and var count } when option.Arity.MaximumNumberOfValues <= 1 =>
            string.Create(CultureInfo.InvariantCulture, $"{option.Name} is given {count} times; give it once."),
        OptionResult { Option: var option, Tokens.Count: 0 } when option.Arity.MinimumNumberOfValues > 0 => IsGiven(error)
            ? $"{option.Name} has no value; it must be {Accepted(option)}."
            : $"{option.Name} is missing; it must be {Accepted(option)}.",
        CommandResult { Command: { Subcommands.Count: > 0 } group } => $"A command is missing after '{Path(group)}'; there are {string.Join(", ", NamesOfCommands(group))}.",
        ArgumentResult { Argument: var argument, Tokens.Count: 0 } => $"{argument.Name} is missing; give {Article(argument)}.",
        CommandResult { Command: { Arguments: [{ Arity.MinimumNumberOfValues: > 0 } argument, ..] } command } when IsMissing(error) && !command.Options.Any(option => error.Message.Contains(option.Name, StringComparison.Ordinal)) =>
            $"{argument.Name} is missing; give {Article(argument)}.",
        CommandResult { Command: var command } when command.Options.FirstOrDefault(option => error.Message.Contains($"'{option.Name}'", StringComparison.Ordinal)) is { } option =>
            $"{option.Name} is missing; it must be {Accepted(option)}.",
        _ => error.Message,
    };

    private static bool IsMissing(ParseError error) => error.SymbolResult is CommandResult or ArgumentResult { Tokens.Count: 0 }
        || (error.SymbolResult is OptionResult && !IsGiven(error));

    private static bool IsGiven(ParseError error) => error.SymbolResult is OptionResult { IdentifierTokenCount: > 0 };

    private static string Article(Argument argument) => argument.Description is { Length: > 0 } text ? $"{char.ToLowerInvariant(text[0])}{text[1..].TrimEnd('.')}" : argument.Name;

    private static string Accepted(Option option) => option is IFlag flag ? flag.Accepted : option.HelpName ?? "a value";

    private static IEnumerable<string> Names(Command command) => command.Options.SelectMany(static option => option.Aliases.Prepend(option.Name))
        .Concat(command is RootCommand ? [] : Root(command).Options.Where(static option => option.Recursive).SelectMany(static option => option.Aliases.Prepend(option.Name)));

    private static Command Root(Command command) => Parent(command) is { } parent ? Root(parent) : command;

    private static Command? Parent(Command command) => command.Parents.OfType<Command>().FirstOrDefault();

    private static IEnumerable<Command> Descendants(Command command) => command.Subcommands.SelectMany(static child => Descendants(child).Prepend(child));

    public static string Path(Command command) => Parent(command) is { } parent ? $"{Path(parent)} {command.Name}" : "tapwire";

    /// <summary>The name that was probably meant: one with this prefix, or within a typing error or two.</summary>
    private static string? Closest(string token, IReadOnlyList<string> names)
    {
        var bare = token.TrimStart('-').ToLowerInvariant();
        var whole = names.Where(static name => name.TrimStart('-').Length > 1).ToList();
        if (bare.Length > 1 && whole.Where(name => name.TrimStart('-').StartsWith(bare, StringComparison.Ordinal)).ToList() is [var only])
            return only;
        var closest = whole.MinBy(name => KnownKeys.Distance(name.TrimStart('-'), bare));
        return closest is not null && KnownKeys.Distance(closest.TrimStart('-'), bare) <= Math.Min(2, bare.Length / 2) ? closest : null;
    }
}
