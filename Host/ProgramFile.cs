using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Finds a program's file as a shell does, and fails with a shell's exit codes.</summary>
internal static class ProgramFile
{
    // The search path of execvp(3) without PATH.
    private const string DefaultPath = "/bin:/usr/bin";

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
        foreach (var file in Candidates(program))
        {
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

    /// <summary>The first executable file of that name in PATH, or the path itself; null if there is none.</summary>
    public static string? TryFind(string program) =>
        program.Contains('/', StringComparison.Ordinal) ? program : Candidates(program).FirstOrDefault(static file => Problem(file) == 0);

    /// <summary>The error for a file that <see cref="Find"/> has found and the system has not run.</summary>
    public static CommandFailedException NotRun(string program, int errno) => new(errno == Errors.ENOENT
        ? $"'{Complaint.Short(program)}' cannot be run: the loader that it was linked for is not there; install that system's C library."
        : $"'{Complaint.Short(program)}' cannot be run: {Errors.Describe(errno)}.", ExitCode.NotExecutable);

    private static IEnumerable<string> Candidates(string name) => (Environment.GetEnvironmentVariable("PATH") ?? DefaultPath).Split(':')
        .Select(directory => $"{(directory.Length == 0 ? "." : directory)}/{name}");

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
        if (ScriptLine.Of(file)?.Interpreter is { } interpreter && !File.Exists(interpreter))
        {
            throw new CommandFailedException(
                $"'{Complaint.Short(file)}' cannot be run: its first line names the interpreter '{Complaint.Short(interpreter)}', which is not there; install it, or mend the line.",
                ExitCode.NotExecutable);
        }

        return file;
    }
}
