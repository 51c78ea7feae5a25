using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>
/// A network namespace of its own, so that a spec may do to its kernel peer what it wants: nothing of it is seen outside, and it is gone afterwards.
/// A namespace left behind by a run that was killed is removed by the next one.
/// </summary>
public sealed partial class NetworkNamespace : IDisposable
{
    private const string Prefix = "tapwire-test-";
    private const int CLONE_NEWNET = 0x4000_0000;
    private const int SIGKILL = 9;

    private static readonly TimeSpan CommandPatience = TimeSpan.FromSeconds(60);
    private static int s_count;

    private readonly List<Process> _started = [];

    private NetworkNamespace(string name) => Name = name;

    /// <summary>The name by which 'ip netns' knows it.</summary>
    public string Name { get; }

    /// <summary>Makes a namespace with its loopback up; skips the spec (a SkippableFact) where that is impossible.</summary>
    public static NetworkNamespace Create()
    {
        Skip.IfNot(OperatingSystem.IsLinux(), "not Linux");
        Skip.IfNot(File.Exists("/dev/net/tun"), "there is no /dev/net/tun");
        Skip.IfNot(Environment.IsPrivilegedProcess, "not root: run inside 'unshare -Urnm', with /run/netns writable, or as root");
        Skip.If(Command("ip", "-V").ExitCode != 0, "there is no 'ip' command");
        RemoveAbandoned();

        var name = $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        var added = Command("ip", "netns", "add", name);
        Skip.If(added.ExitCode != 0, $"no network namespace can be made: {added.Error}");
        var made = new NetworkNamespace(name);
        AppDomain.CurrentDomain.ProcessExit += made.Remove;
        made.Ip("link set lo up");
        return made;
    }

    /// <summary>Runs 'ip' with arguments separated by spaces inside the namespace; fails the spec if it fails.</summary>
    public string Ip(string arguments) => Exec("ip", arguments.Split(' '));

    /// <summary>Runs a command inside the namespace, fails the spec if it fails, and returns its output.</summary>
    public string Exec(string command, params string[] arguments)
    {
        var result = TryExec(command, arguments);
        Assert.True(result.ExitCode == 0, $"{command} {string.Join(' ', arguments)}: exit {result.ExitCode}\n{result.Output}{result.Error}");
        return result.Output;
    }

    /// <summary>Runs a command inside the namespace and returns how it ended.</summary>
    public CommandResult TryExec(string command, params string[] arguments) => Command("ip", ["netns", "exec", Name, command, .. arguments]);

    /// <summary>Sets a variable below /proc/sys, as in "net/ipv4/tcp_sack", inside the namespace.</summary>
    public void Sysctl(string name, string value) => Run(() =>
    {
        File.WriteAllText($"/proc/sys/{name}", value);
        return 0;
    });

    /// <summary>A kernel socket inside the namespace.</summary>
    public Socket OpenSocket(SocketType type = SocketType.Stream, AddressFamily family = AddressFamily.InterNetwork) => Run(() =>
        new Socket(family, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp));

    /// <summary>Starts a command inside the namespace, its input and output redirected. It is ended with the namespace if it runs still.</summary>
    public Process Start(string command, params string[] arguments)
    {
        var process = Start("ip", ["netns", "exec", Name, command, .. arguments], input: true);
        lock (_started)
            _started.Add(process);
        return process;
    }

    /// <summary>Waits until a started command has ended by itself, and fails the spec if it takes too long.</summary>
    public static int ExitCodeOf(Process process)
    {
        Assert.True(process.WaitForExit(CommandPatience), $"The command did not end in {CommandPatience.TotalSeconds} s.");
        return process.ExitCode;
    }

    /// <summary>Runs something on a thread that is inside the namespace. Descriptors opened there (a TAP device, sockets) stay in the namespace, whichever thread
    /// uses them later; what creates further threads does not belong here.</summary>
    public T Run<T>(Func<T> action)
    {
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                Enter();
                result = action();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        { Name = Name };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }

    /// <summary>Like <see cref="Run"/>, on a thread that has given up all capabilities: a user without privileges who owns what root owns.</summary>
    public T RunUnprivileged<T>(Func<T> action) => Run(() =>
    {
        // struct __user_cap_header_struct and two of __user_cap_data_struct (capset(2), version 3): all sets empty, for this thread.
        ReadOnlySpan<uint> header = [0x2008_0522, 0];
        ReadOnlySpan<uint> none = [0, 0, 0, 0, 0, 0];
        unsafe
        {
            fixed (uint* h = header, d = none)
                Errors.Check(capset(h, d), "capset");
        }

        return action();
    });

    /// <summary>Opens a TAP or TUN device inside the namespace.</summary>
    public TapWire OpenTap(TapWireOptions options) => Run(() => TapWire.Open(options));

    public void Dispose()
    {
        foreach (var process in _started)
        {
            try
            {
                process.Kill();
            }
            catch (InvalidOperationException)
            {
                // It has ended, or the spec has disposed it.
            }

            process.Dispose();
        }

        AppDomain.CurrentDomain.ProcessExit -= Remove;
        // What the commands have started themselves.
        EndProcessesIn(Name);
        Remove(null, EventArgs.Empty);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int capset(uint* header, uint* data);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setns(int descriptor, int type);

    private static void RemoveAbandoned()
    {
        foreach (var line in Command("ip", "netns", "list").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var name = line.Split(' ')[0];
            if (name.StartsWith(Prefix, StringComparison.Ordinal)
                && int.TryParse(name[Prefix.Length..].Split('-')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var owner)
                && !Directory.Exists($"/proc/{owner}"))
            {
                EndProcessesIn(name);
                Command("ip", "netns", "del", name);
            }
        }
    }

    /// <summary>What was started in a namespace would keep it, and run on, after the name is gone.</summary>
    private static void EndProcessesIn(string name)
    {
        foreach (var pid in Command("ip", "netns", "pids", name).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            _ = kill(int.Parse(pid, NumberStyles.None, CultureInfo.InvariantCulture), SIGKILL);
    }

    private static CommandResult Command(string command, params string[] arguments)
    {
        Process process;
        try
        {
            process = Start(command, arguments, input: false);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new CommandResult(127, "", e.Message);
        }

        using (process)
        {
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(CommandPatience))
            {
                process.Kill(entireProcessTree: true);
                return new CommandResult(124, output.Result, $"{error.Result}\nended after {CommandPatience.TotalSeconds} s");
            }

            return new CommandResult(process.ExitCode, output.Result, error.Result);
        }
    }

    private static Process Start(string command, string[] arguments, bool input)
    {
        var start = new ProcessStartInfo(command, arguments)
        {
            RedirectStandardInput = input,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return ProgramStart.Run(start);
    }

    private void Enter()
    {
        var descriptor = Errors.Check(Libc.open($"/run/netns/{Name}", Libc.O_RDONLY | Libc.O_CLOEXEC, 0), $"opening namespace {Name}");
        var result = setns(descriptor, CLONE_NEWNET);
        var errno = Libc.Errno;
        Libc.Close(descriptor);
        if (result < 0)
            throw Errors.Exception($"entering namespace {Name}", errno);
    }

    private void Remove(object? sender, EventArgs e) => Command("ip", "netns", "del", Name);
}

/// <summary>How a command ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error);
