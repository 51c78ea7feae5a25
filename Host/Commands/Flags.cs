using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;

namespace Tapwire.Host.Commands;

/// <summary>Typed options. An error message names the flag, the given value, and the accepted values.</summary>
internal static class Flags
{
    public delegate bool Parser<T>(string text, out T value);

    /// <summary>Parses a text; returns null, or the accepted values.</summary>
    private delegate string? Reader<T>(string text, out T value);

    public const string AcceptedRate = "a rate from 1k to 1000G bits per second, as in 100M";

    public const string AcceptedLink = "a path of 1 to 107 bytes";

    /// <summary>The longest path that sockaddr_un has room for, in bytes.</summary>
    private const int MaxLinkPath = 107;

    /// <summary>A flag with one value.</summary>
    public static Flag<T> Value<T>(string name, string description, string argument, Parser<T> parse, string accepted, T whenAbsent) =>
        One(name, description, argument, (string text, out T value) => parse(text, out value) ? null : accepted, accepted, whenAbsent);

    /// <summary>A flag with one value, or null when it is not given. The parser explains what is wrong with a value.</summary>
    public static Flag<T?> Value<T>(string name, string description, string argument, ItemParser<T> parse, string accepted)
        where T : struct => One<T?>(name, description, argument, (string text, out T? value) =>
        {
            var isGood = parse(text, out var item, out var problem);
            value = item;
            return isGood ? null : SettingsReader.Because(accepted, problem!);
        }, accepted, null);

    /// <summary>A flag with several values: repeated, or separated by commas.</summary>
    public static Flag<IReadOnlyList<T>> List<T>(string name, string description, string argument, Parser<T> parse, string accepted) =>
        Items(name, description, argument, (string text, out T value) => parse(text, out value) ? null : accepted, accepted);

    /// <summary>A flag with several values. The parser explains what is wrong with a value.</summary>
    public static Flag<IReadOnlyList<T>> List<T>(string name, string description, string argument, ItemParser<T> parse, string accepted) =>
        Items(name, description, argument, (string text, out T value) =>
        {
            var isGood = parse(text, out var item, out var problem);
            value = item!;
            return isGood ? null : SettingsReader.Because(accepted, problem!);
        }, accepted);

    public static Flag<long> Size(string name, string description, long least, long most, long whenAbsent) => Value(name, description, "SIZE",
        (string text, out long value) => ByteSize.TryParse(text, out value) && value >= least && value <= most,
        $"a size from {ByteSize.Format(least)} to {ByteSize.Format(most)}, as in 64KiB", whenAbsent);

    public static Flag<TimeSpan> Time(string name, string description, TimeSpan least, TimeSpan most, TimeSpan whenAbsent) => Value(name, description, "TIME",
        (string text, out TimeSpan value) => Duration.TryParse(text, out value) && value >= least && value <= most,
        $"a time from {Duration.Format(least)} to {Duration.Format(most)}, as in 20ms", whenAbsent);

    public static bool TryParseRate(string text, out long value) => BitRate.TryParse(text, out value) && value is >= 1000 and <= 1_000_000_000_000;

    /// <summary>
    /// A flag with one value for both directions of a cable, or one for each: "a-b:VALUE" and "b-a:VALUE", given by repeating the flag. A later value replaces an
    /// earlier one.
    /// </summary>
    public static Flag<Directed<T>> Directed<T>(string name, string description, string argument, Parser<T> parse, string accepted, T whenAbsent) =>
        new(name, accepted, new Directed<T>(whenAbsent, whenAbsent))
        {
            Description = description,
            HelpName = argument,
            AllowMultipleArgumentsPerToken = false,
            Arity = ArgumentArity.OneOrMore,
            CustomParser = result =>
            {
                var values = new Directed<T>(whenAbsent, whenAbsent);
                foreach (var text in result.Tokens.Select(token => token.Value))
                {
                    var direction = text is ['a', '-', 'b', ':', ..] or ['b', '-', 'a', ':', ..] ? text[..3] : "";
                    if (!parse(direction.Length > 0 ? text[4..] : text, out var value))
                        return Refuse<Directed<T>>(result, accepted, text);
                    values = direction switch
                    {
                        "a-b" => values with { AToB = value },
                        "b-a" => values with { BToA = value },
                        _ => new Directed<T>(value, value),
                    };
                }

                return values;
            },
        };

    public static Flag<double> Fraction(string name, string description) => Value(name, description, "PART",
        (string text, out double value) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out value) && value is >= 0 and <= 1,
        "a part of 1 from 0 to 1, as in 0.01", 0.0);

    public static Flag<int> Number(string name, string description, int least, int most, int whenAbsent) => Value(name, description, "N",
        (string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most,
        $"a number from {least} to {most}", whenAbsent);

    /// <summary>A file or directory; null when the flag is not given.</summary>
    public static Flag<string?> File(string name, string description) => Value<string?>(name, description, "FILE",
        static (string text, out string? value) => (value = text).Length > 0, "the name of a file", null);

    /// <summary>The path of an AF_UNIX socket; null when the flag is not given.</summary>
    public static Flag<string?> Socket(string name, string description) => Value<string?>(name, description, "PATH",
        static (string text, out string? value) => (value = text).Length > 0 && Encoding.UTF8.GetByteCount(text) <= MaxLinkPath, AcceptedLink, null);

    /// <summary>A switch: true when it is given, and without a value.</summary>
    public static Option<bool> Switch(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };

    /// <summary>A flag with one of some words, or without a value; null when it is not given.</summary>
    /// <param name="whenBare">What the flag alone means.</param>
    public static Option<T?> Word<T>(string name, string description, T whenBare, IReadOnlyDictionary<string, T> words)
        where T : struct => new(name)
        {
            Description = description,
            HelpName = string.Join('|', words.Keys),
            Arity = ArgumentArity.ZeroOrOne,
            CustomParser = result => result.Tokens.Count == 0 ? whenBare
                : words.TryGetValue(result.Tokens[0].Value, out var value) ? value
                : Refuse<T?>(result, $"one of {string.Join(", ", words.Keys)}", result.Tokens[0].Value),
        };

    /// <summary>A flag with several numbers.</summary>
    public static Flag<IReadOnlyList<int>> Numbers(string name, string description, int least, int most) => List<int>(name, description, "N",
        (string text, out int value) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value >= least && value <= most,
        $"a number from {least} to {most}");

    private static Flag<T> One<T>(string name, string description, string argument, Reader<T> read, string accepted, T whenAbsent) => new(name, accepted, whenAbsent)
    {
        Description = description,
        HelpName = argument,
        Arity = ArgumentArity.ExactlyOne,
        CustomParser = result => read(result.Tokens[0].Value, out var value) is { } problem || (problem = IsOption(result) ? accepted : null) is not null
            ? Refuse<T>(result, problem)
            : value,
    };

    private static Flag<IReadOnlyList<T>> Items<T>(string name, string description, string argument, Reader<T> read, string accepted) => new(name, accepted, [])
    {
        Description = description,
        HelpName = argument,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result =>
        {
            var values = new List<T>();
            foreach (var text in result.Tokens.SelectMany(token => token.Value.Split(',')))
            {
                if (read(text, out var value) is { } problem)
                    return Refuse<IReadOnlyList<T>>(result, problem, text);
                values.Add(value);
            }

            return values;
        },
    };

    private static T Refuse<T>(ArgumentResult result, string accepted, string? text = null)
    {
        var flag = result.Parent is OptionResult option ? option.IdentifierToken?.Value ?? option.Option.Name : result.Argument.Name;
        var given = IsOption(result) ? "has no value" : $"is {Complaint.Quote(text ?? result.Tokens[0].Value)}";
        result.AddError($"{flag} {given}; it must be {accepted}.");
        return default!;
    }

    /// <summary>True when the value is missing, and the next option's name has been taken for it.</summary>
    private static bool IsOption(ArgumentResult result) => result.Tokens is [{ Value: ['-', ..] next }] && result.Parent is { Parent: CommandResult command }
        && command.Command.Options.Any(option => option.Name == next || option.Aliases.Contains(next));
}

/// <summary>A value for each direction of a cable.</summary>
internal readonly record struct Directed<T>(T AToB, T BToA);
