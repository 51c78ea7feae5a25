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

/// <summary>The whole command line: parses and runs it, and turns a failure into one line and an exit code.</summary>
internal static class TapwireCommandLine
{
    /// <summary>Makes the commands, and the options that they share.</summary>
    public static RootCommand Create()
    {
        var root = new RootCommand("TCP/IP sockets for applications on a network that the kernel does not route.")
        {
            DemoCommand.Create(),
            UpCommand.Create(),
            RunCommand.Create(),
            PingCommand.Create(),
            ResolveCommand.Create(),
            BrowseCommand.Create(),
            StatusCommand.Create(),
            DriverCommands.Stop(),
            DriverCommands.Reload(),
            DriverCommands.Kill(),
            CaptureCommand.Create(),
            InterfaceCommands.Create(),
            AddressCommands.Create(),
            RouteCommands.Create(),
            NeighborCommands.Create(),
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
        // Without a command, help is printed.
        root.SetAction(parsed => help.Invoke(parsed));
        return root;
    }

    /// <summary>Runs as the process's main method: failures of standard output, and on threads that nobody awaits, are reported in one line, too.</summary>
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
            // Response files are off, because programs that are run may have arguments that begin with @.
            var parsed = Create().Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
            if (parsed.Errors.Count > 0 || parsed.UnmatchedTokens.Count > 0 || UsageErrors.StrayOption(parsed) is not null)
            {
                foreach (var problem in UsageErrors.Of(parsed))
                    Complaint.Write(problem);
                Complaint.Write($"see '{UsageErrors.Path(parsed.CommandResult.Command)} --help'.");
                return ExitCode.Usage;
            }

            // The commands handle Ctrl-C and SIGTERM themselves, because an orderly stop takes longer than the library's time-out.
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

    /// <summary>Reports any failure in one line.</summary>
    /// <returns>The exit code.</returns>
    internal static int Told(Exception e)
    {
        if (e is not (SettingsException or CommandFailedException or WireException or LinkListenException or IOException or UnauthorizedAccessException or SocketException))
            return Unexpected(e);
        // The stack trace is for debugging only.
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

/// <summary>A command cannot do what it was asked. The message is the line that the user sees.</summary>
internal sealed class CommandFailedException : Exception
{
    public CommandFailedException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    public CommandFailedException(string message, int exitCode)
        : base(message) => ExitCode = exitCode;

    /// <summary>The exit code of the program.</summary>
    public int ExitCode { get; } = Host.ExitCode.Failed;
}
