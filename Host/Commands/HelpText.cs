using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Tapwire.Host.Commands;

/// <summary>A command with examples of its use.</summary>
/// <param name="examples">Complete command lines.</param>
internal sealed class ExampledCommand(string name, string description, params string[] examples) : Command(name, description)
{
    public IReadOnlyList<string> Examples => examples;

    /// <summary>The usage line, for a command whose parts the library would print in another order; or null.</summary>
    public string? Usage { get; init; }
}

/// <summary>The library's help at a readable width, followed by the command's examples.</summary>
internal sealed class HelpText : SynchronousCommandLineAction
{
    private const int Width = 80;
    private const int MaxWidth = 120;

    private readonly HelpAction _help = new() { MaxWidth = Console.IsOutputRedirected ? Width : Math.Clamp(Console.WindowWidth, Width, MaxWidth) };

    /// <summary>Help is shown for a command line with errors, too.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        var output = parseResult.InvocationConfiguration.Output;
        using var help = new StringWriter();
        parseResult.InvocationConfiguration.Output = help;
        var code = _help.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output = output;
        var isUsage = false;
        foreach (var line in help.ToString().TrimEnd().Split(Environment.NewLine))
        {
            output.WriteLine(isUsage && parseResult.CommandResult.Command is ExampledCommand { Usage: { } usage } ? $"  {usage}" : line.TrimEnd());
            isUsage = line == "Usage:";
        }

        output.WriteLine();
        switch (parseResult.CommandResult.Command)
        {
            case ExampledCommand command:
                output.WriteLine(command.Examples.Count == 1 ? "Example:" : "Examples:");
                foreach (var example in command.Examples)
                    output.WriteLine($"  {example}");
                output.WriteLine();
                break;
            case RootCommand:
                output.WriteLine("See 'tapwire COMMAND --help' for the options of a command. 'tapwire demo' needs");
                output.WriteLine("neither privileges nor a network.");
                output.WriteLine();
                break;
        }

        return code;
    }
}
