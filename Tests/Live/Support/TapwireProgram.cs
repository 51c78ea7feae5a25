using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>The real <c>tapwire</c> program as a process of its own, inside a namespace.</summary>
internal sealed partial class TapwireProgram
{
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;

    /// <summary>In /proc/PID/stat: clock ticks of 10 ms, on every Linux that .NET runs on.</summary>
    private const int TicksPerSecond = 100;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errorSoFar = new();
    private readonly Task<string> _error;

    private TapwireProgram(Process process)
    {
        _process = process;
        _error = ReadErrorAsync();
        Pid = process.Id;
    }

    /// <summary>'ip netns exec' becomes the program: its process id is the program's.</summary>
    public int Pid { get; }

    public static string Host => Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet" ? Environment.ProcessPath! : "dotnet";

    public static string Assembly => Path.Combine(AppContext.BaseDirectory, "tapwire.dll");

    /// <summary>Whether the process has ended, by itself or not.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>Descriptors that the process has open.</summary>
    public int Descriptors => Directory.EnumerateFileSystemEntries($"/proc/{Pid}/fd").Count();

    /// <summary>The command has taken the signals that stop it: SIGHUP is the last of them, and nothing else of the runtime's.</summary>
    public bool HandlesSignals => (ProcFile.Set($"{Pid}", "SigCgt:") & 1) != 0;

    /// <summary>Memory of the process that is in RAM, in bytes.</summary>
    public long ResidentBytes => long.Parse(File.ReadAllText($"/proc/{Pid}/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;

    /// <summary>User and system time that the process has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            // The fields after the command's name, which is in parentheses and may hold anything: utime and stime are the 14th and 15th of proc_pid_stat(5).
            var stat = File.ReadAllText($"/proc/{Pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
            return TimeSpan.FromSeconds(ticks / (double)TicksPerSecond);
        }
    }

    /// <summary>A shell lets what it starts in the background ignore SIGINT, nohup lets it ignore SIGHUP, and so does everything started from there, unless told otherwise.</summary>
    private static bool AreSignalsIgnored => (ProcFile.Set("self", "SigIgn:") & (1UL << (SIGINT - 1) | 1UL << (SIGHUP - 1))) != 0;

    public static TapwireProgram Start(NetworkNamespace network, params string[] arguments) =>
        AreSignalsIgnored
            ? StartBy(network, ["env", "--default-signal=INT", "--default-signal=HUP"], arguments)
            : new(network.Start(Host, ["exec", Assembly, .. arguments]));

    /// <summary>Starts the program by another one that runs what follows its own arguments, as setpriv and unshare do, by becoming it.</summary>
    public static TapwireProgram StartBy(NetworkNamespace network, string[] launcher, params string[] arguments) =>
        new(network.Start(launcher[0], [.. launcher[1..], Host, "exec", Assembly, .. arguments]));

    /// <summary>Runs the program to its end, which it must come to by itself.</summary>
    public static CommandResult Run(NetworkNamespace network, params string[] arguments) => Start(network, arguments).WaitForExit();

    /// <summary>Waits until standard output has a line that begins so, and returns that line.</summary>
    public string WaitForLine(string beginning)
    {
        while (true)
        {
            var read = _process.StandardOutput.ReadLineAsync();
            Assert.True(read.Wait(Patience), $"tapwire has not said \"{beginning}\" in {Patience.TotalSeconds} s.");
            if (read.Result is not { } line)
            {
                var ended = WaitForExit();
                Assert.Fail($"tapwire has ended with exit code {ended.ExitCode} and has not said \"{beginning}\".\n{ended.Output}{ended.Error}");
                return "";
            }

            _output.AppendLine(line);
            if (line.StartsWith(beginning, StringComparison.Ordinal))
                return line;
        }
    }

    /// <summary>Waits until standard error, which has the log, contains this.</summary>
    public async Task WaitForErrorAsync(string part)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (!ErrorSoFar.Contains(part, StringComparison.Ordinal))
        {
            Assert.True(DateTime.UtcNow < deadline, $"The log has not said \"{part}\":\n{ErrorSoFar}");
            await Task.Delay(20);
        }
    }

    public void Signal(int signal) => Assert.Equal(0, kill(Pid, signal));

    /// <summary>Waits until the program has ended. A shell's convention for the code: 128 and the signal that killed it.</summary>
    public CommandResult WaitForExit()
    {
        var output = _process.StandardOutput.ReadToEndAsync();
        Assert.True(_process.WaitForExit(Patience), $"tapwire has not ended in {Patience.TotalSeconds} s.");
        Assert.True(Task.WaitAll([output, _error], Patience), "tapwire has left a program behind that holds its output.");
        _output.Append(output.Result);
        return new CommandResult(_process.ExitCode, _output.ToString(), _error.Result);
    }

    /// <summary>Asks the program to stop and waits until it has.</summary>
    public CommandResult Stop(int signal = SIGTERM)
    {
        Signal(signal);
        return WaitForExit();
    }

    private string ErrorSoFar
    {
        get
        {
            lock (_errorSoFar)
                return _errorSoFar.ToString();
        }
    }

    private async Task<string> ReadErrorAsync()
    {
        var read = new char[4096];
        while (await _process.StandardError.ReadAsync(read) is > 0 and var count)
        {
            lock (_errorSoFar)
                _errorSoFar.Append(read, 0, count);
        }

        return ErrorSoFar;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);
}
