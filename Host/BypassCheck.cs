using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Who runs a program. The system ignores LD_PRELOAD for a program that gets more privileges than its caller has (AT_SECURE in getauxval(3)).</summary>
/// <param name="NoNewPrivileges">The caller has given up new privileges (PR_SET_NO_NEW_PRIVS), so that no file gives any.</param>
internal sealed record ProgramCaller(uint RealUser, uint EffectiveUser, uint RealGroup, uint EffectiveGroup, bool NoNewPrivileges)
{
    /// <summary>This process.</summary>
    public static ProgramCaller Self => new(Libc.getuid(), Libc.geteuid(), Libc.getgid(), Libc.getegid(), ProcFile.Field("/proc/self/status", "NoNewPrivs:") == "1");
}

/// <summary>
/// Finds programs that libtapwire.so does not get into. Such a program would have the host's network, and nobody would notice: it runs, it connects, and it exits
/// with 0.
/// </summary>
internal static class BypassCheck
{
    // The kernel follows as many scripts that name scripts as interpreters (exec_binprm).
    private const int MaxScripts = 5;

    private const string Shell = "/bin/sh";
    private const int CapabilityBytes = 24;
    private const ushort MachineX64 = 62;
    private const ushort MachineArm64 = 183;

    private static readonly ushort OwnMachine = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? MachineX64 : MachineArm64;

    /// <summary>Why the program would go by the host's network, as in "it is linked statically"; null if it would not.</summary>
    /// <param name="file">The file from <see cref="ProgramFile.Find"/>.</param>
    public static string? Reason(string file, ProgramCaller caller) => Reason(file, caller, MaxScripts);

    /// <summary>The error for a program that would go by the host's network.</summary>
    public static CommandFailedException Refused(string program, string reason) => new(
        $"'{Complaint.Short(program)}' would go round Tapwire, by the host's network: {reason}. Run it with --netns, or let it use the driver's SOCKS proxy or a forwarded port; "
        + "--allow-bypass lets it have the host's network.", ExitCode.NotExecutable);

    private static string? Reason(string file, ProgramCaller caller, int scripts)
    {
        try
        {
            if (scripts > 0 && ScriptLine.Of(file) is { } line)
            {
                return Of(line.Interpreter, Reason(line.Interpreter, caller, scripts - 1))
                    ?? (line.ProgramOfEnv is { } program && ProgramFile.TryFind(program) is { } found ? Of(found, Reason(found, caller, scripts - 1)) : null);
            }

            if (ElfFile.Read(file) is { } elf)
                return Privileges(file, caller) ?? Format(file, elf);
            // execvp(3) passes a file of no known format to the shell.
            return IsPortable(file) ? "it calls the kernel without the C library" : scripts > 0 && file != Shell ? Of(Shell, Reason(Shell, caller, 0)) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Privileges(file, caller) ?? "it cannot be read, so that nobody can tell whether Tapwire gets into it";
        }
    }

    /// <summary>The reason of a program that a script names.</summary>
    private static string? Of(string program, string? reason) => reason is null ? null : $"'{Complaint.Short(program)}', which it names in its first line: {reason}";

    private static string? Format(string file, ElfFile elf)
    {
        if (elf.Class != ElfFile.Class64 || elf.Machine != OwnMachine)
            return elf.Class == ElfFile.Class64 ? "it is for another kind of machine" : "it is a 32-bit program";
        var own = Path.GetFileName(ElfFile.OwnInterpreter);
        return elf switch
        {
            { IsGo: true } => "it is a Go program, which calls the kernel without the C library",
            // The loader itself, which is given a program as its argument.
            { Interpreter: null } when own is not null && Path.GetFileName(RealPath(file)) == own => null,
            { Interpreter: null } => "it is linked statically",
            { Interpreter: { } loader } when own is not null && Path.GetFileName(loader) != own =>
                $"it is linked with another C library than Tapwire (its loader is {Complaint.Short(Path.GetFileName(loader))})",
            _ => null,
        };
    }

    private static string? Privileges(string file, ProgramCaller caller)
    {
        if (caller.NoNewPrivileges || IsWithoutPrivileges(file) || FileStatus.TryOf(file, followLinks: true) is not { } status)
            return null;
        if ((status.IsSetUser ? status.Owner : caller.EffectiveUser) != caller.RealUser)
            return "it is a setuid program, for which the system ignores LD_PRELOAD";
        if ((status.IsSetGroup ? status.Group : caller.EffectiveGroup) != caller.RealGroup)
            return "it is a setgid program, for which the system ignores LD_PRELOAD";
        return caller.RealUser != 0 && HasCapabilities(file) ? "it has file capabilities, with which the system ignores LD_PRELOAD" : null;
    }

    private static unsafe bool IsWithoutPrivileges(string file)
    {
        Libc.FileSystemStatistics statistics;
        return Libc.statfs(file, &statistics) == 0 && (statistics.Flags & Libc.ST_NOSUID) != 0;
    }

    /// <summary>The file has a permitted capability, or the effective bit: struct vfs_ns_cap_data of linux/capability.h.</summary>
    private static unsafe bool HasCapabilities(string file)
    {
        var bytes = stackalloc byte[CapabilityBytes];
        var length = (int)Libc.getxattr(file, "security.capability", bytes, CapabilityBytes);
        var value = new ReadOnlySpan<byte>(bytes, Math.Max(length, 0));
        return value.Length >= 12 && ((value[0] & 1) != 0 || BinaryPrimitives.ReadUInt32LittleEndian(value[4..]) != 0
            || (value.Length >= 20 && BinaryPrimitives.ReadUInt32LittleEndian(value[12..]) != 0));
    }

    /// <summary>An Actually Portable Executable: a program without a C library of the system's, which begins as a script.</summary>
    private static bool IsPortable(string file)
    {
        Span<byte> magic = stackalloc byte[8];
        using var stream = File.OpenRead(file);
        var read = magic[..stream.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false)];
        return read.SequenceEqual("MZqFpD='"u8) || read.SequenceEqual("jartsr='"u8);
    }

    private static string RealPath(string file) => File.ResolveLinkTarget(file, returnFinalTarget: true)?.FullName ?? file;
}
