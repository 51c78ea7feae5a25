using System.CommandLine;

namespace Tapwire.Host.Commands;

/// <summary>What is asked of an option when it is given wrongly.</summary>
internal interface IFlag
{
    /// <summary>What its value must be, in the words of a message: "a number from 1 to 10".</summary>
    string Accepted { get; }
}

/// <summary>
/// An option that keeps its default to itself. The library would print it in help as .NET writes it; so the description says it as a user would type it.
/// </summary>
/// <param name="name">With its dashes.</param>
/// <param name="accepted">What its value must be.</param>
/// <param name="whenAbsent">Its value when it is not given.</param>
internal sealed class Flag<T>(string name, string accepted, T whenAbsent) : Option<T>(name), IFlag
{
    public string Accepted => accepted;

    public T WhenAbsent => whenAbsent;
}

/// <summary>Reads flags of a command line.</summary>
internal static class FlagValues
{
    /// <summary>The flag's value, or its default.</summary>
    public static T Read<T>(this ParseResult parsed, Flag<T> flag) => parsed.GetResult(flag) is null ? flag.WhenAbsent : parsed.GetValue(flag)!;
}
