using System.CommandLine;
using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Links;
using Tapwire.Wires;

namespace Tapwire.Host;

/// <summary>The command line as a whole: parses, runs, and turns what goes wrong into one line and an exit code.</summary>
internal static class TapwireCommandLine
{
    public static async Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("TCP/IP sockets for applications on a network that the kernel does not route.")
        {
            DemoCommand.Create(),
            UpCommand.Create(),
            RunCommand.Create(),
            CableCommand.Create(),
            PingCommand.Create(),
            StatusCommand.Create(),
        };
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            foreach (var error in parsed.Errors)
                await Console.Error.WriteLineAsync($"tapwire: {error.Message}");
            await Console.Error.WriteLineAsync($"tapwire: see '{string.Join(' ', CommandPath(parsed.CommandResult.Command))} --help'.");
            return ExitCode.Usage;
        }

        // Ctrl-C and SIGTERM are the commands' own: an orderly stop takes longer than the library's patience.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        try
        {
            return await parsed.InvokeAsync(configuration);
        }
        catch (SettingsException e)
        {
            return await Complain(e.Message, ExitCode.Usage);
        }
        catch (Exception e) when (e is CommandFailedException or WireException or LinkListenException or IOException or UnauthorizedAccessException)
        {
            return await Complain(e.Message, ExitCode.Failed);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    }

    private static async Task<int> Complain(string message, int code)
    {
        await Console.Error.WriteLineAsync($"tapwire: {message.ReplaceLineEndings(" ")}");
        return code;
    }

    private static IEnumerable<string> CommandPath(Command command)
    {
        var names = new Stack<string>();
        for (Symbol? symbol = command; symbol is not null; symbol = symbol.Parents.FirstOrDefault())
            names.Push(symbol is RootCommand ? "tapwire" : symbol.Name);
        return names;
    }
}

/// <summary>A command cannot do what it was asked. The message is the one line that the user sees.</summary>
internal sealed class CommandFailedException(string message, Exception? inner = null) : Exception(message, inner);
