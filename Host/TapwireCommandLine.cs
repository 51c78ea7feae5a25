using System.CommandLine;
using System.CommandLine.Help;
using System.Net.Sockets;
using Serilog;
using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Links;
using Tapwire.Wires;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>The command line as a whole: parses, runs, and turns what goes wrong into one line and an exit code.</summary>
internal static class TapwireCommandLine
{
    /// <summary>The commands, and what they have in common.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("TCP/IP sockets for applications on a network that the kernel does not route.")
        {
            DemoCommand.Create(),
            UpCommand.Create(),
            RunCommand.Create(),
            PingCommand.Create(),
            StatusCommand.Create(),
            InterfaceCommands.Create(),
            AddressCommands.Create(),
            RouteCommands.Create(),
            CableCommand.Create(),
            DoctorCommand.Create(),
            CompletionCommand.Create(),
            ManCommand.Create(),
        };
        var help = new HelpText();
        var helpOption = root.Options.OfType<HelpOption>().Single();
        helpOption.Action = help;
        helpOption.Description = "Shows this help.";
        root.Options.OfType<VersionOption>().Single().Description = "Shows the version.";
        // Without a command there is nothing to be done but to say what there is.
        root.SetAction(parsed => help.Invoke(parsed));
        return root;
    }

    /// <summary>Runs in a process of its own: what goes wrong with standard output, or on a thread that nobody waits for, is told in one line, too.</summary>
    public static Task<int> RunProcessAsync(string[] args)
    {
        AppDomain.CurrentDomain.UnhandledException += (_, fault) =>
        {
            Unexpected((Exception)fault.ExceptionObject);
            Log.CloseAndFlush();
            Libc._exit(ExitCode.Failed);
        };
        if (Console.IsOutputRedirected)
            Console.SetOut(OutputStream.Open());
        TerminalStream.Install();
        return RunAsync(args);
    }

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            // A word that begins with @ is a word: programs that are run have such arguments.
            var parsed = Create().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Errors.Count > 0 || parsed.UnmatchedTokens.Count > 0 || UsageErrors.StrayOption(parsed) is not null)
            {
                foreach (var problem in UsageErrors.Of(parsed))
                    Complaint.Write(problem);
                Complaint.Write($"see '{UsageErrors.Path(parsed.CommandResult.Command)} --help'.");
                return ExitCode.Usage;
            }

            // Ctrl-C and SIGTERM are the commands' own: an orderly stop takes longer than the library's patience.
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (Exception e)
        {
            return Told(e);
        }
        finally
        {
            await Log.CloseAndFlushAsync();
        }
    }

    /// <summary>Says in one line what went wrong, whatever it was.</summary>
    /// <returns>The exit code.</returns>
    internal static int Told(Exception e)
    {
        if (e is not (SettingsException or CommandFailedException or WireException or LinkListenException or IOException or UnauthorizedAccessException or SocketException))
            return Unexpected(e);
        // Where it came from is for who looks for a fault.
        Log.Debug(e, "The command has failed");
        Complaint.Write(e.Message);
        return e switch
        {
            SettingsException => ExitCode.Usage,
            CommandFailedException failed => failed.ExitCode,
            _ => ExitCode.Failed,
        };
    }

    private static int Unexpected(Exception e)
    {
        Log.Debug(e, "The command has failed as nobody foresaw");
        Complaint.Write($"{e.GetBaseException().Message.TrimEnd('.')}. This was not foreseen: please report it with the command line, and with the log of --log-level debug.");
        return ExitCode.Failed;
    }
}

/// <summary>A command cannot do what it was asked. The message is the one line that the user sees.</summary>
internal sealed class CommandFailedException : Exception
{
    public CommandFailedException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    public CommandFailedException(string message, int exitCode)
        : base(message) => ExitCode = exitCode;

    /// <summary>What the program ends with.</summary>
    public int ExitCode { get; } = Host.ExitCode.Failed;
}
