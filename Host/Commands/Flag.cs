using System.CommandLine;

namespace Tapwire.Host.Commands;

/// <summary>The part of an option that an error message about its value needs.</summary>
internal interface IFlag
{
    /// <summary>The accepted values, as a message words them: "a number from 1 to 10".</summary>
    string Accepted { get; }
}

/// <summary>
/// An option whose default the library does not know, because its help would print the default in .NET's format. The option's description gives the default as a
/// user would type it.
/// </summary>
/// <param name="name">The name with its dashes.</param>
/// <param name="accepted">The accepted values.</param>
/// <param name="whenAbsent">The value when the option is not given.</param>
internal sealed class Flag<T>(string name, string accepted, T whenAbsent) : Option<T>(name), IFlag
{
    public string Accepted => accepted;

    public T WhenAbsent => whenAbsent;
}

/// <summary>Reads the values of flags.</summary>
internal static class FlagValues
{
    /// <summary>The flag's value, or its default.</summary>
    public static T Read<T>(this ParseResult parsed, Flag<T> flag) => parsed.GetResult(flag) is null ? flag.WhenAbsent : parsed.GetValue(flag)!;
}
