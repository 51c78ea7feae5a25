using System.Text;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Finds a program's file as a shell does, and fails with a shell's exit codes.</summary>
internal static class ProgramFile
{
    // The search path of execvp(3) without PATH.
    private const string DefaultPath = "/bin:/usr/bin";

    // The kernel reads this much of a script's first line.
    private const int MaxFirstLine = 255;

    /// <param name="program">A path, or a name to be searched for in PATH.</param>
    /// <returns>The path to run.</returns>
    /// <exception cref="CommandFailedException">The file does not exist, or cannot be executed; with a shell's exit code.</exception>
    public static string Find(string program)
    {
        if (program.Length == 0)
            throw new CommandFailedException("The program has no name; write it after --.", ExitCode.NotFound);
        var name = Complaint.Short(program);
        if (program.Contains('/', StringComparison.Ordinal))
        {
            var problem = Problem(program);
            return problem == 0 ? CheckInterpreter(program) : throw Refused(name, problem);
        }

        var found = Errors.ENOENT;
        foreach (var directory in (Environment.GetEnvironmentVariable("PATH") ?? DefaultPath).Split(':'))
        {
            var file = $"{(directory.Length == 0 ? "." : directory)}/{program}";
            var problem = Problem(file);
            if (problem == 0)
                return CheckInterpreter(file);
            if (problem == Errors.EACCES)
                found = problem;
        }

        throw found == Errors.ENOENT
            ? new CommandFailedException($"'{name}' cannot be run: there is no such program in PATH; write its path, as in ./{name}.", ExitCode.NotFound)
            : Refused(name, found);
    }

    /// <summary>The error for a file that <see cref="Find"/> has found and the system has not run.</summary>
    public static CommandFailedException NotRun(string program, int errno) => new(errno == Errors.ENOENT
        ? $"'{Complaint.Short(program)}' cannot be run: the loader that it was linked for is not there; install that system's C library."
        : $"'{Complaint.Short(program)}' cannot be run: {Errors.Describe(errno)}.", ExitCode.NotExecutable);

    private static CommandFailedException Refused(string program, int errno) => new($"'{Complaint.Short(program)}' cannot be run: {Errors.Describe(errno)}{errno switch
    {
        Errors.EACCES => "; make it executable with 'chmod +x'",
        Errors.ENOENT or Errors.ENOTDIR => "; name a program that is there",
        Errors.EISDIR => "; name a program in it",
        _ => "",
    }}.", errno is Errors.ENOENT or Errors.ENOTDIR ? ExitCode.NotFound : ExitCode.NotExecutable);

    /// <summary>Checks that a file can be executed: 0, or an errno.</summary>
    private static int Problem(string file) => Directory.Exists(file)
        ? Errors.EISDIR
        : Libc.faccessat(Libc.AT_FDCWD, file, Libc.X_OK, Libc.AT_EACCESS) == 0 ? 0 : Libc.Errno;

    /// <summary>Checks a script's interpreter. If the interpreter is missing, the kernel reports the script itself as missing.</summary>
    private static string CheckInterpreter(string file)
    {
        if (Interpreter(file) is { } interpreter && !File.Exists(interpreter))
        {
            throw new CommandFailedException(
                $"'{Complaint.Short(file)}' cannot be run: its first line names the interpreter '{Complaint.Short(interpreter)}', which is not there; install it, or mend the line.",
                ExitCode.NotExecutable);
        }

        return file;
    }

    /// <summary>The interpreter of a script; null if the file is no script, or cannot be read.</summary>
    private static string? Interpreter(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var bytes = new byte[MaxFirstLine];
            var text = Encoding.UTF8.GetString(bytes, 0, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
            return text.StartsWith("#!", StringComparison.Ordinal)
                ? text[2..].Split('\n')[0].Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries).FirstOrDefault()
                : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
