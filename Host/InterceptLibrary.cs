using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>
/// libtapwire.so as a file for the dynamic loader: the one beside the program, or else the embedded one, extracted to a directory that only this user can write
/// to. The extracted file stays, because programs that were started with it start others after this process has ended.
/// </summary>
internal static class InterceptLibrary
{
    public const string Name = "libtapwire.so";

    // Offset of e_machine in an ELF header.
    private const int MachineOffset = 18;
    private const int HeaderSize = 64;
    private const ushort MachineX64 = 62;
    private const ushort MachineArm64 = 183;

    private const uint OwnersAlone = 0b111_000_000;
    private const uint OpenToRead = 0b111_101_101;

    /// <exception cref="CommandFailedException">There is no library for this machine, or no directory for it.</exception>
    public static string Find()
    {
        var beside = OwnFile.Beside(Name);
        if (File.Exists(beside))
        {
            var header = new byte[HeaderSize];
            using (var file = File.OpenRead(beside))
                _ = file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false);
            CheckMachine(beside, header);
            return CheckPath(beside);
        }

        var library = OwnFile.Within(Name)
            ?? throw new CommandFailedException($"{beside} is not there: it is built with the project where a C compiler is. Install one (gcc or clang) and build again.");
        CheckMachine("The library in this program", library);
        return CheckPath(Extract(library, Directories(Environment.GetEnvironmentVariable, Libc.geteuid())));
    }

    /// <summary>Directories for the library, best first. Root's must be readable by other users, because root's programs may switch to them.</summary>
    internal static IEnumerable<(string Path, uint Mode)> Directories(Func<string, string?> variable, uint userId)
    {
        if (userId == 0)
            yield return ("/var/cache/tapwire", OpenToRead);
        if (variable("XDG_CACHE_HOME") is { Length: > 0 } cache && Path.IsPathRooted(cache))
            yield return (Path.Combine(cache, "tapwire"), OwnersAlone);
        else if (variable("HOME") is { Length: > 0 } home && Path.IsPathRooted(home))
            yield return (Path.Combine(home, ".cache", "tapwire"), OwnersAlone);
        yield return (FormattableString.Invariant($"/var/tmp/tapwire-{userId}"), userId == 0 ? OpenToRead : OwnersAlone);
    }

    /// <summary>Extracts the library unless it has been already. Its name identifies this build of the program, so that versions do not conflict.</summary>
    /// <exception cref="CommandFailedException">No directory is suitable; the message gives the reason for each.</exception>
    internal static string Extract(byte[] library, IEnumerable<(string Path, uint Mode)> directories)
    {
        var name = $"libtapwire-{typeof(InterceptLibrary).Module.ModuleVersionId:N}.so";
        var problems = new List<string>();
        foreach (var (directory, mode) in directories)
        {
            try
            {
                if (Refusal(directory, mode) is { } refusal)
                {
                    problems.Add($"{directory} {refusal}");
                    continue;
                }

                var path = Path.Combine(directory, name);
                if (!IsThere(path, library))
                    Write(path, library, mode);
                if (Libc.faccessat(Libc.AT_FDCWD, path, Libc.X_OK, 0) == 0)
                    return path;
                // On a filesystem that is mounted with noexec, the loader refuses libraries, too.
                problems.Add($"{directory} lets nothing be executed");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add($"{directory}: {e.Message.TrimEnd('.')}");
            }
        }

        throw new CommandFailedException($"There is no place for {Name}, which goes into programs: {string.Join("; ", problems)}. Mend one, name another in "
            + $"XDG_CACHE_HOME, or put {Name} beside the program.");
    }

    /// <summary>Makes the directory if it is missing. Returns null if the directory is this user's alone, else what is wrong with it.</summary>
    private static string? Refusal(string directory, uint mode)
    {
        if (FileStatus.TryOf(directory) is null)
        {
            // The cache directory itself may be missing and is then made, for its owner alone; its parent must exist.
            if (Path.GetDirectoryName(directory) is { } parent && !Directory.Exists(parent) && Directory.Exists(Path.GetDirectoryName(parent)))
                Make(parent, OwnersAlone);
            if (!Directory.Exists(Path.GetDirectoryName(directory)))
                return "has no parent directory";
            Make(directory, mode);
        }

        // Symbolic links are not followed, because another user may have planted one.
        return FileStatus.TryOf(directory) switch
        {
            null => "cannot be made",
            { IsDirectory: false } => "is no directory",
            { Owner: var owner } when owner != Libc.geteuid() => $"belongs to user {owner}",
            { IsWritableByOthers: true } => "can be written by others",
            _ => null,
        };
    }

    private static void Make(string directory, uint mode)
    {
        if (Libc.mkdir(directory, mode) != 0)
        {
            // Another process has made the directory meanwhile. The caller checks it like any other existing one.
            if (Libc.Errno != Errors.EEXIST)
                throw Errors.Exception($"making {directory}", Libc.Errno);
            return;
        }

        // Necessary because the umask restricts the mode of a new directory.
        Errors.Check(Libc.chmod(directory, mode), $"setting the mode of {directory}");
    }

    private static bool IsThere(string path, byte[] library) =>
        FileStatus.TryOf(path) is { IsFile: true } && File.ReadAllBytes(path).AsSpan().SequenceEqual(library);

    /// <summary>Writes the library under a temporary name and renames it, so that other processes see all of it or nothing.</summary>
    private static void Write(string path, byte[] library, uint mode)
    {
        var temporary = $"{path}.{Environment.ProcessId}";
        try
        {
            // A process with the same id may have been killed and left the file behind.
            File.Delete(temporary);
            using (var file = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
                file.Write(library);
            Errors.Check(Libc.chmod(temporary, mode), $"setting the mode of {temporary}");
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Refuses a library for another machine. The loader would only warn and skip it, and the program would use the host's network.</summary>
    private static void CheckMachine(string what, ReadOnlySpan<byte> header)
    {
        var machine = header.Length >= HeaderSize && header.StartsWith("\u007FELF"u8) ? BinaryPrimitives.ReadUInt16LittleEndian(header[MachineOffset..]) : 0;
        var wanted = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? MachineX64 : MachineArm64;
        if (machine == wanted)
            return;
        var found = machine switch { 0 => "no library", MachineX64 => "for x86-64", MachineArm64 => "for Arm64", _ => $"for ELF machine {machine}" };
        throw new CommandFailedException($"{what} is {found}, and this machine is {(wanted == MachineX64 ? "x86-64" : "Arm64")}: "
            + "install the package for this machine, or build on it.");
    }

    private static string CheckPath(string path) => path.AsSpan().IndexOfAny(' ', ':') < 0
        ? path
        : throw new CommandFailedException($"The path '{path}' has a blank or a colon in it, which LD_PRELOAD cannot name; move the program elsewhere.");
}
