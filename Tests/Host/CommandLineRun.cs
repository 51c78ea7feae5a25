using Spectre.Console;
using Tapwire.Host;

namespace Tapwire.Tests.Host;

/// <summary>What came of a command line in this process.</summary>
internal sealed record CommandLineRun(int Code, string Output, string Error)
{
    public string[] ErrorLines => Error.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Only for specs of <see cref="HostCollection"/>: there is one console.</summary>
    public static async Task<CommandLineRun> OfAsync(params string[] args)
    {
        var (output, error) = (Console.Out, Console.Error);
        using var newOutput = new StringWriter();
        using var newError = new StringWriter();
        Console.SetOut(newOutput);
        Console.SetError(newError);
        AnsiConsole.Console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(newOutput) });
        try
        {
            var code = await TapwireCommandLine.RunAsync(args);
            return new CommandLineRun(code, newOutput.ToString(), newError.ToString());
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(error);
        }
    }
}
