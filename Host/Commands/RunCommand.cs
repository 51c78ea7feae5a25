using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Serilog.Events;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary>
/// <c>tapwire run</c>: an unmodified program whose sockets are Tapwire's. On a driver that runs, the program takes this process's place; otherwise it has a
/// driver of its own for as long as it runs.
/// </summary>
internal static class RunCommand
{
    private static readonly Option<IReadOnlyList<IpPrefix>> Routes = Flags.List<IpPrefix>("--route",
        "Destinations that go by Tapwire; others go by the host's network. All but loopback when not given.", "CIDR",
        (string text, out IpPrefix value) => IpPrefix.TryParse(text, null, out value), "ADDRESS/LENGTH, as in 10.99.0.0/24");

    private static readonly Argument<string[]> Program = new("command")
    {
        Description = "The program and its arguments, after --.",
        Arity = ArgumentArity.OneOrMore,
    };

    public static Command Create()
    {
        var command = new Command("run", "Runs a program on Tapwire's sockets: on a running driver, or with --wire and --address on one of its own.")
        {
            LinkOption.Path, Routes, Program,
        };
        foreach (var option in UpCommand.DriverOptions)
            command.Options.Add(option);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var program = parsed.GetValue(Program)!;
        if (!UpCommand.NamesDriver(parsed))
        {
            string path;
            using (var client = await LinkOption.ConnectAsync(parsed, CancellationToken.None))
                path = Path.GetFullPath(parsed.GetValue(LinkOption.Path) ?? Links.LinkEndpointPath.Default);
            return ProgramStart.Replace(program, ProgramStart.Environment(path, parsed.GetValue(Routes)!));
        }

        if (parsed.GetValue(LinkOption.Path) is not null)
            throw new Actors.Settings.SettingsException("--link names a running driver, --wire and --address begin a new one; give one or the other.");
        var directory = Directory.CreateTempSubdirectory("tapwire-");
        try
        {
            var path = Path.Combine(directory.FullName, "link.sock");
            await using var driver = await UpCommand.OpenAsync(parsed, path, LogEventLevel.Warning);
            return await RunBesideAsync(program, ProgramStart.Environment(path, parsed.GetValue(Routes)!));
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Runs the program as a child, which gets the signals that this process gets.</summary>
    private static async Task<int> RunBesideAsync(string[] program, IReadOnlyDictionary<string, string> environment)
    {
        // Registered before there is a child, so that none is lost: one that comes early waits for it.
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        var registrations = new List<PosixSignalRegistration>();
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGHUP, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM, (PosixSignal)10, (PosixSignal)12])
            registrations.Add(PosixSignalRegistration.Create(signal, Pass));
        try
        {
            using var child = ProgramStart.Start(program, environment);
            started.SetResult(child);
            await child.WaitForExitAsync();
            return child.ExitCode;
        }
        finally
        {
            registrations.ForEach(registration => registration.Dispose());
        }

        void Pass(PosixSignalContext context)
        {
            context.Cancel = true;
            _ = started.Task.ContinueWith(child => ProgramStart.Signal(child.Result, context.Signal), TaskScheduler.Default);
        }
    }
}
