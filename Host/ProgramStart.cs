using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Posix;

namespace Tapwire.Host;

/// <summary>Starts programs with libtapwire.so in them, in this process's place or beside it.</summary>
internal static unsafe class ProgramStart
{
    private const int SignalInterrupt = 2;
    private const int SignalQuit = 3;
    private const string Library = "libtapwire.so";
    private const int NotExecutable = 126;
    private const int NotFound = 127;

    /// <summary>What the library is told: docs/link-protocol.md.</summary>
    /// <exception cref="CommandFailedException">The library is not there, or cannot be named in LD_PRELOAD.</exception>
    public static IReadOnlyDictionary<string, string> Environment(string link, IReadOnlyList<IpPrefix> routes)
    {
        var library = Path.Combine(AppContext.BaseDirectory, Library);
        if (!File.Exists(library))
            throw new CommandFailedException($"{library} is not there: it is built with the project where a C compiler is. Install one (gcc or clang) and build again.");
        if (library.AsSpan().IndexOfAny(' ', ':') >= 0)
            throw new CommandFailedException($"The path '{library}' has a blank or a colon in it, which LD_PRELOAD cannot name; move the program elsewhere.");

        var before = System.Environment.GetEnvironmentVariable("LD_PRELOAD");
        return new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = string.IsNullOrEmpty(before) ? library : $"{library}:{before}",
            ["TAPWIRE_LINK"] = link,
            ["TAPWIRE_ROUTES"] = string.Join(',', routes),
        };
    }

    /// <summary>Runs the program in this process's place. Returns only if that is not possible, with the exit code that a shell would give.</summary>
    public static int Replace(string[] program, IReadOnlyDictionary<string, string> environment)
    {
        var all = System.Environment.GetEnvironmentVariables().Cast<System.Collections.DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");
        foreach (var (name, value) in environment)
            all[name] = value;

        var file = Bytes(program[0]);
        var arguments = Vector(program);
        var variables = Vector(all.Select(variable => $"{variable.Key}={variable.Value}"));
        // This runtime ignores SIGPIPE, and has raised the limit on open files: neither is for others to inherit.
        _ = Libc.signal(Libc.SIGPIPE, 0);
        using var limit = new InheritedLimit();
        _ = Libc.execvpe(file, arguments, variables);
        return Refused(program[0], Libc.Errno);
    }

    /// <summary>Runs the program beside this process, with its terminal and streams.</summary>
    /// <exception cref="CommandFailedException">It cannot be started.</exception>
    public static Process Start(string[] program, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program[0], program.Skip(1)) { UseShellExecute = false };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var limit = new InheritedLimit();
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new CommandFailedException($"'{program[0]}' cannot be run: {e.Message}.", e);
        }
    }

    /// <summary>Passes a signal on, unless the terminal has given it to the program, too.</summary>
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

    private static int Refused(string program, int errno)
    {
        Console.Error.WriteLine($"tapwire: '{program}' cannot be run: {Errors.Describe(errno)}");
        return errno == Errors.ENOENT ? NotFound : NotExecutable;
    }

    // Never freed: the program that follows has another memory.
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

    /// <summary>While it exists, the limit on open files is that of the process which started this one; the runtime has raised this one's.</summary>
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
            try
            {
                var line = File.ReadLines($"/proc/{Libc.getppid()}/limits").FirstOrDefault(line => line.StartsWith("Max open files", StringComparison.Ordinal));
                var soft = line?["Max open files".Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
                return nuint.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                return null;
            }
        }
    }
}
