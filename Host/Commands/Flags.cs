using System.CommandLine;
using System.CommandLine.Parsing;
using Tapwire.Actors.Settings;
using Tapwire.Host.Configuration;

namespace Tapwire.Host.Commands;

/// <summary>Typed options whose refusal names the flag, what was given, and what is accepted.</summary>
internal static class Flags
{
    public delegate bool Parser<T>(string text, out T value);

    /// <summary>Null, or what the text must be.</summary>
    private delegate string? Reader<T>(string text, out T value);

    public const string AcceptedRate = "a rate from 1k to 1000G bits per second, as in 100M";

    /// <summary>One value.</summary>
    public static Option<T> Value<T>(string name, string description, string argument, Parser<T> parse, string accepted, T whenAbsent) => new(name)
    {
        Description = description,
        HelpName = argument,
        DefaultValueFactory = _ => whenAbsent,
        CustomParser = result => parse(result.Tokens[0].Value, out var value) ? value : Refuse<T>(result, accepted),
    };

    /// <summary>Several values, by repeating the flag or separated by commas.</summary>
    public static Option<IReadOnlyList<T>> List<T>(string name, string description, string argument, Parser<T> parse, string accepted) =>
        Items(name, description, argument, (string text, out T value) => parse(text, out value) ? null : accepted);

    /// <summary>The same, with a parser that says what is wrong with a value.</summary>
    public static Option<IReadOnlyList<T>> List<T>(string name, string description, string argument, ItemParser<T> parse, string accepted)
        where T : class =>
        Items(name, description, argument, (string text, out T value) =>
        {
            var isGood = parse(text, out var item, out var problem);
            value = item!;
            return isGood ? null : $"{accepted}: {problem}";
        });

    public static Option<long> Size(string name, string description, long least, long most, long whenAbsent) => Value(name, description, "SIZE",
        (string text, out long value) => ByteSize.TryParse(text, out value) && value >= least && value <= most,
        $"a size from {ByteSize.Format(least)} to {ByteSize.Format(most)}, as in 64KiB", whenAbsent);

    public static Option<TimeSpan> Time(string name, string description, TimeSpan least, TimeSpan most, TimeSpan whenAbsent) => Value(name, description, "TIME",
        (string text, out TimeSpan value) => Duration.TryParse(text, out value) && value >= least && value <= most,
        $"a time from {Duration.Format(least)} to {Duration.Format(most)}, as in 20ms", whenAbsent);

    public static bool TryParseRate(string text, out long value) => BitRate.TryParse(text, out value) && value is >= 1000 and <= 1_000_000_000_000;

    /// <summary>One value for both directions of a cable, or one for each: "a-b:VALUE" and "b-a:VALUE", by repeating the flag. What comes later counts.</summary>
    public static Option<Directed<T>> Directed<T>(string name, string description, string argument, Parser<T> parse, string accepted, T whenAbsent) => new(name)
    {
        Description = description,
        HelpName = argument,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => new Directed<T>(whenAbsent, whenAbsent),
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

    public static Option<double> Fraction(string name, string description) => Value(name, description, "PART",
        (string text, out double value) => double.TryParse(text, System.Globalization.NumberStyles.AllowDecimalPoint,
            System.Globalization.CultureInfo.InvariantCulture, out value) && value is >= 0 and <= 1,
        "a part of 1 from 0 to 1, as in 0.01", 0.0);

    public static Option<int> Number(string name, string description, int least, int most, int whenAbsent) => Value(name, description, "N",
        (string text, out int value) => int.TryParse(text, System.Globalization.NumberStyles.None,
            System.Globalization.CultureInfo.InvariantCulture, out value) && value >= least && value <= most,
        $"a number from {least} to {most}", whenAbsent);

    private static Option<IReadOnlyList<T>> Items<T>(string name, string description, string argument, Reader<T> read) => new(name)
    {
        Description = description,
        HelpName = argument,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            var values = new List<T>();
            foreach (var text in result.Tokens.SelectMany(token => token.Value.Split(',')))
            {
                if (read(text, out var value) is { } accepted)
                    return Refuse<IReadOnlyList<T>>(result, accepted, text);
                values.Add(value);
            }

            return values;
        },
    };

    private static T Refuse<T>(ArgumentResult result, string accepted, string? text = null)
    {
        var flag = result.Parent is OptionResult option ? option.IdentifierToken?.Value ?? option.Option.Name : result.Argument.Name;
        result.AddError($"{flag} is \"{text ?? result.Tokens[0].Value}\"; it must be {accepted}.");
        return default!;
    }
}

/// <summary>What holds for each direction of a cable.</summary>
internal readonly record struct Directed<T>(T AToB, T BToA);
