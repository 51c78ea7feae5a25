using System.CommandLine;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Serilog.Events;
using Tapwire.Actors.Settings;
using Tapwire.Host.Netns;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary>
/// <c>tapwire run</c>: runs an unmodified program on Tapwire's sockets. With a driver that already runs, the program replaces this process; otherwise this process runs
/// a driver of its own until the program ends.
/// </summary>
internal static class RunCommand
{
    private static readonly Flag<IReadOnlyList<IpPrefix>> Routes = Flags.List<IpPrefix>("--route",
        "A network that goes by Tapwire, others by the host's network; repeatable. All but loopback when not given.", "CIDR",
        TryParseRoute, "NETWORK/LENGTH, as in 10.99.0.0/24");

    private static readonly Option<bool> AllowBypass = Flags.Switch("--allow-bypass",
        "Lets a program run that Tapwire does not get into (a static one, Go's, setuid), on the host's network; refused when not given.");

    private static readonly Option<bool> Netns = Flags.Switch("--netns",
        "Runs the program in a network namespace of its own, whose whole traffic goes by Tapwire: for any program, without privileges. The library is not used.");

    private static readonly Argument<string[]> Program = new("PROGRAM")
    {
        Description = "The program and its arguments, after --.",
        Arity = ArgumentArity.OneOrMore,
    };

    /// <summary>Reads a network for the library, which takes no bits beyond the length: whoever writes them means one host or another network.</summary>
    private static bool TryParseRoute(string text, out IpPrefix network, [NotNullWhen(false)] out string? problem)
    {
        problem = !IpPrefix.TryParse(text, null, out network) ? ""
            : network.Address != network.Network ? $"{network} has bits beyond its length; write {network.Network}/{network.Length} for the network"
            : null;
        return problem is null;
    }

    public static Command Create()
    {
        var command = new ExampledCommand("run", "Runs a program on Tapwire's sockets: on a running driver, or with --wire and --address on one of its own.",
            "tapwire run -- curl http://10.99.0.1/",
            "tapwire run --wire tap:tw0 --address 10.99.0.2/24 -- iperf3 -c 10.99.0.1")
        {
            Usage = "tapwire run [options] -- <PROGRAM> [argument]...",
        };
        command.Arguments.Add(Program);
        foreach (var option in (Option[])[LinkOption.Path, Routes, AllowBypass, Netns, NetnsRun.Dns, NetnsRun.Publish, .. UpCommand.DriverOptions])
            command.Options.Add(option);
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        var program = parsed.GetValue(Program)!;
        var file = ProgramFile.Find(program[0]);
        var mayBypass = parsed.GetValue(AllowBypass);
        var netns = parsed.GetValue(Netns);
        CheckNetns(parsed, netns);
        if (!netns && !mayBypass && BypassCheck.Reason(file, ProgramCaller.Self) is { } reason)
            throw BypassCheck.Refused(program[0], reason);
        if (!UpCommand.NamesDriver(parsed))
        {
            if (UpCommand.DriverOptions.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } stray)
                throw new SettingsException($"{stray.Name} is for a driver of the program's own; begin one with --wire and --address, too, or leave it away.");
            // Only this process can report a driver that does not answer, so it is checked before the program replaces the process.
            var path = LinkOption.PathOf(parsed);
            using (var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, CancellationToken.None))
            {
                if (netns)
                {
                    using var passed = new PassedSignals();
                    return await NetnsRun.RunAsync(new LinkGateway(client, path), file, program, parsed.Read(NetnsRun.Dns), [], parsed.Read(NetnsRun.Publish), passed.PassTo);
                }
            }

            throw ProgramStart.Replace(file, program, ProgramStart.Environment(path, parsed.Read(Routes), mayBypass));
        }

        if (parsed.Read(LinkOption.Path) is not null)
            throw new SettingsException("--link names a running driver, --wire and --address begin a new one; give one or the other.");
        // Here this process is the service, so it notifies the service manager. A program that replaces this process notifies it by itself.
        var manager = ServiceManager.Take();
        var directory = TemporaryDirectory.Create("tapwire-");
        try
        {
            var path = Path.Combine(directory.FullName, "link.sock");
            // Registered before the driver starts, because a signal would leave its device and directory behind. A signal that comes before the program is passed on later.
            using var signals = new PassedSignals();
            CaptureFile.RefuseStandardOutput(LoadedSettings.Load(parsed, path, LogEventLevel.Warning).Settings.Capture);
            await using var driver = await UpCommand.OpenAsync(parsed, path, LogEventLevel.Warning);
            await driver.AwaitLeasesAsync();
            if (netns)
            {
                IReadOnlyList<IpAddress> others = [.. driver.Settings.WireNames.SelectMany(static each => each.Servers)];
                return await NetnsRun.RunAsync(new DriverGateway(driver.Driver), file, program, parsed.Read(NetnsRun.Dns), others, parsed.Read(NetnsRun.Publish), Started);
            }

            using var child = ProgramStart.Start(file, program, ProgramStart.Environment(path, parsed.Read(Routes), mayBypass));
            Started(child);
            await child.WaitForExitAsync();
            manager.Stopping();
            return child.ExitCode;

            void Started(Process started)
            {
                signals.PassTo(started);
                manager.Ready($"running {program[0]}");
            }
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private static void CheckNetns(ParseResult parsed, bool netns)
    {
        if (netns && parsed.Read(Routes).Count > 0)
            throw new SettingsException("--route and --netns do not go together: in a namespace everything goes by Tapwire, and the host's network is out of reach; leave --route away.");
        if (!netns && parsed.Read(NetnsRun.Dns).Count > 0)
            throw new SettingsException("--dns is for --netns; without it names are looked up as on the host.");
        if (!netns && parsed.Read(NetnsRun.Publish).Count > 0)
            throw new SettingsException("--publish is for --netns; without it the program listens at Tapwire's address itself.");
    }

    /// <summary>Signals that are passed on to the child. Signals ignored from the start stay ignored, and the child inherits that.</summary>
    private sealed class PassedSignals : IDisposable
    {
        private readonly TaskCompletionSource<Process> _child = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly List<PosixSignalRegistration> _registrations = [];

        public PassedSignals()
        {
            foreach (var signal in (PosixSignal[])[PosixSignal.SIGHUP, PosixSignal.SIGINT, PosixSignal.SIGQUIT, PosixSignal.SIGTERM, LinuxSignals.SIGUSR1, LinuxSignals.SIGUSR2])
            {
                if (signal != PosixSignal.SIGHUP || !IgnoredSignals.HangUp)
                    _registrations.Add(PosixSignalRegistration.Create(signal, Pass));
            }
        }

        public void PassTo(Process child) => _child.SetResult(child);

        public void Dispose() => _registrations.ForEach(static registration => registration.Dispose());

        private void Pass(PosixSignalContext context)
        {
            context.Cancel = true;
            _ = _child.Task.ContinueWith(child => ProgramStart.Signal(child.Result, context.Signal), TaskScheduler.Default);
        }
    }
}
