using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Starts programs with libtapwire.so preloaded, in place of this process or as a child.</summary>
internal static unsafe class ProgramStart
{
    private const int SignalInterrupt = 2;
    private const int SignalQuit = 3;
    private const string Shell = "/bin/sh";

    /// <summary>The environment variables for the library: docs/link-protocol.md.</summary>
    /// <param name="mayBypass">The program may start others that the library does not get into.</param>
    /// <exception cref="CommandFailedException">There is no library for this machine, or LD_PRELOAD cannot express its path.</exception>
    public static IReadOnlyDictionary<string, string> Environment(string link, IReadOnlyList<IpPrefix> routes, bool mayBypass)
    {
        var library = InterceptLibrary.Find();
        var before = System.Environment.GetEnvironmentVariable("LD_PRELOAD");
        var variables = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = string.IsNullOrEmpty(before) ? library : $"{library}:{before}",
            ["TAPWIRE_LINK"] = link,
            ["TAPWIRE_ROUTES"] = string.Join(',', routes),
        };
        if (mayBypass)
            variables["TAPWIRE_BYPASS"] = "allow";
        return variables;
    }

    /// <summary>Replaces this process by the program. Returns only on failure.</summary>
    /// <param name="file">The file from <see cref="ProgramFile.Find"/>.</param>
    /// <returns>The reason of the failure, with a shell's exit code.</returns>
    public static CommandFailedException Replace(string file, string[] program, IReadOnlyDictionary<string, string> environment)
    {
        var all = System.Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
        foreach (var (name, value) in environment)
            all[name] = value;

        var path = Bytes(file);
        var arguments = Vector(program);
        var variables = Vector(all.Select(variable => $"{variable.Key}={variable.Value}"));
        // The runtime ignores SIGPIPE and has raised the limit on open files. The program must inherit neither.
        _ = Libc.signal(Libc.SIGPIPE, 0);
        using var limit = new InheritedLimit();
        _ = Libc.execvpe(path, arguments, variables);
        return ProgramFile.NotRun(program[0], Libc.Errno);
    }

    /// <summary>Runs the program as a child, with this process's terminal and streams.</summary>
    /// <param name="file">The file from <see cref="ProgramFile.Find"/>.</param>
    /// <exception cref="CommandFailedException">The program cannot be started.</exception>
    public static Process Start(string file, string[] program, IReadOnlyDictionary<string, string> environment)
    {
        try
        {
            return Start(file, program.Skip(1), environment);
        }
        catch (Win32Exception e) when (e.NativeErrorCode == Errors.ENOEXEC)
        {
            // execvp(3) also passes a script without an interpreter line to the shell.
            return Start(Shell, program.Skip(1).Prepend(file), environment);
        }
        catch (Win32Exception e)
        {
            throw ProgramFile.NotRun(program[0], e.NativeErrorCode);
        }
    }

    private static Process Start(string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(file, arguments) { UseShellExecute = false };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var limit = new InheritedLimit();
        return Process.Start(start)!;
    }

    /// <summary>Passes a signal on to the child, unless the terminal has sent it to the child as well.</summary>
    public static void Signal(Process child, PosixSignal signal)
    {
        var number = signal switch
        {
            PosixSignal.SIGHUP => 1,
            PosixSignal.SIGINT => SignalInterrupt,
            PosixSignal.SIGQUIT => SignalQuit,
            PosixSignal.SIGTERM => 15,
            _ => (int)signal,
        };
        if (number is SignalInterrupt or SignalQuit && Libc.isatty(0) == 1)
            return;
        _ = Libc.kill(child.Id, number);
    }

    // Never freed, because the new program replaces this memory.
    private static byte* Bytes(string text) => (byte*)Marshal.StringToCoTaskMemUTF8(text);

    private static byte** Vector(IEnumerable<string> texts)
    {
        var all = texts.ToList();
        var vector = (byte**)NativeMemory.Alloc((nuint)(all.Count + 1), (nuint)sizeof(byte*));
        for (var i = 0; i < all.Count; i++)
            vector[i] = Bytes(all[i]);
        vector[all.Count] = null;
        return vector;
    }

    /// <summary>Sets the limit on open files to the parent process's while it exists, so that a child does not inherit the limit that the runtime has raised.</summary>
    private sealed class InheritedLimit : IDisposable
    {
        private Libc.ResourceLimit _own;

        public InheritedLimit()
        {
            fixed (Libc.ResourceLimit* own = &_own)
            {
                if (Libc.getrlimit(Libc.RLIMIT_NOFILE, own) != 0 || ParentsLimit() is not { } current)
                    return;
                var inherited = new Libc.ResourceLimit { Current = nuint.Min(current, own->Maximum), Maximum = own->Maximum };
                _ = Libc.setrlimit(Libc.RLIMIT_NOFILE, &inherited);
            }
        }

        public void Dispose()
        {
            fixed (Libc.ResourceLimit* own = &_own)
                _ = Libc.setrlimit(Libc.RLIMIT_NOFILE, own);
        }

        private static nuint? ParentsLimit()
        {
            var soft = ProcFile.Field($"/proc/{Libc.getppid()}/limits", "Max open files")?.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
            return nuint.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
        }
    }
}
