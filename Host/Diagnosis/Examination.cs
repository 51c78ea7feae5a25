using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Tapwire.Posix;
using LinkOption = Tapwire.Host.Commands.LinkOption;

namespace Tapwire.Host.Diagnosis;

/// <summary>Examines this machine without changing it: no device is made, no address assigned, no socket left behind.</summary>
internal static class Examination
{
    // From capabilities(7).
    private const int CAP_NET_ADMIN = 12;

    /// <param name="settings">The file of settings to check; null for the program's defaults.</param>
    public static async Task<MachineFacts> RunAsync(string? settings, CancellationToken cancel)
    {
        var link = LinkEndpointPath.Default;
        var (runs, linkProblem) = await LookAtLinkAsync(link, cancel);
        var (tunProblem, virtioHeader, queues) = LookAtTun();
        return new MachineFacts
        {
            System = $"{RuntimeInformation.OSDescription.Trim()}, kernel {Environment.OSVersion.Version.ToString(3)}, "
                + $"{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}, {RuntimeInformation.FrameworkDescription}",
            IsLinux = OperatingSystem.IsLinux(),
            Kernel = Environment.OSVersion.Version,
            Processors = Environment.ProcessorCount,
            TunProblem = tunProblem,
            TunHasVirtioHeader = virtioHeader,
            TunHasQueues = queues,
            HasNetAdmin = (ProcFile.Set("self", "CapEff:") >> CAP_NET_ADMIN & 1) != 0,
            NamespaceProblem = await TryAsync(["unshare", "-Urn", "true"], null, cancel),
            OpenFiles = OpenFileLimit.OfProcess.Limit,
            Memory = MemoryLimit.OfProcess.Bytes,
            SocketBuffer = long.TryParse(ProcFile.Text("/proc/sys/net/core/wmem_max"), CultureInfo.InvariantCulture, out var bytes) ? bytes : 0,
            LibraryProblem = await LookAtLibraryAsync(cancel),
            Link = link,
            DriverRuns = runs,
            LinkProblem = linkProblem,
            SettingsProblem = LookAtSettings(settings),
        };
    }

    private static (string? Problem, bool VirtioHeader, bool Queues) LookAtTun()
    {
        try
        {
            var descriptor = TunDevice.Open();
            var features = TunDevice.FeaturesOf(descriptor);
            Libc.Close(descriptor);
            return (null, (features & TunFeatures.VirtioHeader) != 0, (features & TunFeatures.MultiQueue) != 0);
        }
        catch (WireException e)
        {
            return (e.Message, false, false);
        }
    }

    private static async Task<(bool Runs, string? Problem)> LookAtLinkAsync(string path, CancellationToken cancel)
    {
        try
        {
            using var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, cancel);
            return (true, null);
        }
        catch (CommandFailedException e)
        {
            // A path where nobody listens is free for a driver.
            return (false, e.InnerException is SocketException { SocketErrorCode: not SocketError.AccessDenied } ? null : e.Message);
        }
        catch (IOException e)
        {
            return (false, e is LinkProtocolException ? e.Message : null);
        }
    }

    /// <summary>Starts a program with the library preloaded. The dynamic loader prints a message if it cannot load the library.</summary>
    private static async Task<string?> LookAtLibraryAsync(CancellationToken cancel)
    {
        try
        {
            return await TryAsync(["true"], ProgramStart.Environment("/nonexistent", [], mayBypass: false), cancel);
        }
        catch (CommandFailedException e)
        {
            return e.Message;
        }
    }

    private static string? LookAtSettings(string? file)
    {
        try
        {
            HostConfiguration.Load(file);
            return null;
        }
        catch (SettingsException e)
        {
            return e.Message;
        }
    }

    /// <summary>Runs a program. Returns null if it exits with 0 and prints nothing on standard error, else the first line of its message.</summary>
    private static async Task<string?> TryAsync(string[] program, IReadOnlyDictionary<string, string>? environment, CancellationToken cancel)
    {
        var start = new ProcessStartInfo(program[0], program[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            var complaint = (await process.StandardError.ReadToEndAsync(cancel)).Trim();
            await process.WaitForExitAsync(cancel);
            if (process.ExitCode == 0 && complaint.Length == 0)
                return null;
            return complaint.Length > 0 ? complaint.Split('\n')[0] : $"'{program[0]}' ended with exit code {process.ExitCode}.";
        }
        catch (Win32Exception e)
        {
            return $"'{program[0]}' cannot be run: {Errors.Describe(e.NativeErrorCode)}.";
        }
    }
}
