using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Tapwire.Host;
using Tapwire.Posix;
using Xunit;
using Machine = System.Runtime.InteropServices.Architecture;

namespace Tapwire.Tests.Host;

/// <summary>Which programs libtapwire.so does not get into. The files are made by the specs.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed partial class BypassCheckSpecs : IDisposable
{
    private const ushort X64 = 62;
    private const ushort Arm64 = 183;
    private const string OtherLoader = "/lib/ld-other.so.1";

    private static readonly ushort Own = RuntimeInformation.ProcessArchitecture == Machine.X64 ? X64 : Arm64;
    private static readonly ProgramCaller Ordinary = new(1000, 1000, 1000, 1000, false);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-bypass-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void A_program_of_this_c_library_is_let_through()
    {
        Assert.NotNull(ElfFile.OwnInterpreter);
        Assert.Null(Reason(Elf()));
        Assert.Null(Reason("/proc/self/exe"));
        Assert.Null(Reason(ElfFile.OwnInterpreter!));
    }

    [Fact]
    public void A_static_program_is_refused() => Assert.Equal("it is linked statically", Reason(Elf(loader: null)));

    [Fact]
    public void Another_c_librarys_program_is_refused() =>
        Assert.Equal("it is linked with another C library than Tapwire (its loader is ld-other.so.1)", Reason(Elf(loader: OtherLoader)));

    [Fact]
    public void A_loader_of_the_same_name_elsewhere_is_the_same_c_library() =>
        Assert.Null(Reason(Elf(loader: "/nix/store/1-glibc/lib/" + Path.GetFileName(ElfFile.OwnInterpreter))));

    [Fact]
    public void Another_machines_program_is_refused()
    {
        Assert.Equal("it is for another kind of machine", Reason(Elf(machine: Own == X64 ? Arm64 : X64)));
        Assert.Equal("it is a 32-bit program", Reason(Elf(kind: 1)));
        Assert.Equal("it is for another kind of machine", Reason(Elf(order: 2)));
    }

    [Fact]
    public void A_Go_program_is_refused_by_its_build_id() =>
        Assert.Equal("it is a Go program, which calls the kernel without the C library", Reason(Elf(note: [.. Note("GNU\0", 3, "abcde"), .. Note("Go\0\0", 4, "id")])));

    [Fact]
    public void A_Go_program_without_a_build_id_is_refused_by_its_sections() =>
        Assert.Equal("it is a Go program, which calls the kernel without the C library", Reason(Elf(section: ".gopclntab")));

    [Fact]
    public void Other_notes_and_sections_are_let_through() => Assert.Null(Reason(Elf(note: [.. Note("GNU\0", 4, "id"), .. Note("Go\0\0", 3, "x")], section: ".text")));

    [SkippableTheory]
    [InlineData(UnixFileMode.SetUser, 1000u, 1000u, 0u, "it is a setuid program, for which the system ignores LD_PRELOAD")]
    [InlineData(UnixFileMode.SetUser, 0u, 0u, 0u, null)]
    [InlineData(UnixFileMode.SetUser, 1000u, 1000u, 1000u, null)]
    [InlineData(UnixFileMode.SetUser, 0u, 0u, 65534u, "it is a setuid program, for which the system ignores LD_PRELOAD")]
    [InlineData(UnixFileMode.SetGroup, 0u, 1000u, 0u, "it is a setgid program, for which the system ignores LD_PRELOAD")]
    [InlineData(UnixFileMode.SetGroup, 0u, 0u, 0u, null)]
    [InlineData(UnixFileMode.None, 1000u, 1000u, 0u, null)]
    public void A_program_that_gets_another_user_or_group_is_refused(UnixFileMode bit, uint user, uint group, uint owner, string? reason)
    {
        Skip.IfNot(Libc.geteuid() == 0, "only root can give files away");
        var file = Elf();
        Assert.Equal(0, chown(file, owner, 0));
        File.SetUnixFileMode(file, (UnixFileMode)0b111_101_101 | bit);
        Assert.Equal(reason, BypassCheck.Reason(file, new(user, user, group, group, false)));
        Assert.Null(BypassCheck.Reason(file, new(user, user, group, group, NoNewPrivileges: true)));
    }

    [Fact]
    public void A_setgid_bit_without_the_right_to_execute_means_nothing()
    {
        var file = Elf();
        File.SetUnixFileMode(file, (UnixFileMode)0b111_100_101 | UnixFileMode.SetGroup);
        Assert.Null(BypassCheck.Reason(file, Ordinary with { RealGroup = 77, EffectiveGroup = 77 }));
    }

    [Fact]
    public void A_caller_whose_own_users_differ_is_refused() =>
        Assert.NotNull(BypassCheck.Reason(Elf(), Ordinary with { EffectiveUser = 1001 }));

    [SkippableTheory]
    [InlineData(1, 0u, true)]
    [InlineData(0, 1u << 13, true)]
    [InlineData(0, 0u, false)]
    public unsafe void A_program_with_file_capabilities_is_refused_but_for_root(byte effective, uint permitted, bool refused)
    {
        var file = Elf();
        // Version 2 of struct vfs_cap_data.
        var value = new byte[20];
        BinaryPrimitives.WriteUInt32LittleEndian(value, 0x0200_0000u | effective);
        BinaryPrimitives.WriteUInt32LittleEndian(value.AsSpan(4), permitted);
        fixed (byte* bytes = value)
            Skip.If(setxattr(file, "security.capability", bytes, (nuint)value.Length, 0) != 0, "file capabilities cannot be set here");
        Assert.Equal(refused ? "it has file capabilities, with which the system ignores LD_PRELOAD" : null, Reason(file));
        Assert.Null(BypassCheck.Reason(file, new(0, 0, 0, 0, false)));
    }

    [Fact]
    public void A_scripts_interpreter_is_looked_at()
    {
        var interpreter = Elf(loader: null);
        var script = Script($"#! {interpreter} -x\n");
        Assert.Equal($"'{Complaint.Short(interpreter)}', which it names in its first line: it is linked statically", Reason(script));
        Assert.Contains("it is linked statically", Reason(Script($"#!{script}\n")), StringComparison.Ordinal);
        Assert.Null(Reason(Script($"#!{Elf()}\n")));
    }

    [Theory]
    [InlineData("#!/usr/bin/env {0}\n")]
    [InlineData("#!/usr/bin/env -S -i A=b {0} -x\n")]
    [InlineData("#!/usr/bin/env\t{0}")]
    public void The_program_that_env_runs_is_looked_at(string line) =>
        Assert.EndsWith("it is linked statically", Reason(Script(line.Replace("{0}", Elf(loader: null), StringComparison.Ordinal))), StringComparison.Ordinal);

    [Fact]
    public void Env_looks_programs_up_in_PATH() => Assert.Null(Reason(Script("#!/usr/bin/env sh\n")));

    [Fact]
    public void A_file_of_no_format_is_the_shells() => Assert.Null(Reason(Script("echo hello\n")));

    [Fact]
    public void A_portable_executable_is_refused() => Assert.Equal("it calls the kernel without the C library", Reason(Script("MZqFpD='\n")));

    [Fact]
    public void Scripts_that_name_each_other_come_to_an_end()
    {
        var script = Path.Combine(_directory.FullName, "loop");
        File.WriteAllText(script, $"#!{script}\n");
        Assert.Null(Reason(script));
    }

    [Fact]
    public void No_garbage_in_an_ELF_file_is_a_fault()
    {
        var whole = File.ReadAllBytes(Elf(note: Note("Go\0\0", 4, "id"), section: ".go.buildinfo"));
        var random = new Random(1);
        var path = Path.Combine(_directory.FullName, "garbage");
        for (var round = 0; round < 2000; round++)
        {
            var bytes = whole.ToArray();
            for (var i = 0; i < 4; i++)
                bytes[random.Next(4, bytes.Length)] = (byte)(random.Next(3) == 0 ? 0xFF : random.Next(256));
            File.WriteAllBytes(path, bytes[..random.Next(4, bytes.Length + 1)]);
            _ = Reason(path);
        }
    }

    private static string? Reason(string file) => BypassCheck.Reason(file, Ordinary);

    private string Script(string text)
    {
        var path = Path.Combine(_directory.FullName, $"script{_directory.GetFiles().Length}");
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>An ELF file with a loader, a note segment, and a section of the given name.</summary>
    private string Elf(string? loader = "own", ushort? machine = null, byte kind = 2, byte order = 1, byte[]? note = null, string section = ".data")
    {
        const int Segments = 64, Loader = 256, Notes = 512, Sections = 1024, Names = 1536;
        var bytes = new byte[2048];
        "\u007FELF"u8.CopyTo(bytes);
        (bytes[4], bytes[5], bytes[6]) = (kind, order, 1);
        Put16(16, 3);
        Put16(18, machine ?? Own);
        Put64(32, Segments);
        Put64(40, Sections);
        Put16(54, 56);
        Put16(58, 64);
        Put16(60, 2);
        Put16(62, 1);
        var text = Encoding.ASCII.GetBytes((loader == "own" ? ElfFile.OwnInterpreter : loader) + "\0");
        var segments = 0;
        if (loader is not null)
            Segment(3, Loader, text);
        Segment(4, Notes, note ?? []);
        Put16(56, (ushort)segments);
        var names = Encoding.ASCII.GetBytes($"\0{section}\0.shstrtab\0");
        names.CopyTo(bytes, Names);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Sections), 1);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Sections + 64), (uint)section.Length + 2);
        Put64(Sections + 64 + 24, Names);
        Put64(Sections + 64 + 32, (ulong)names.Length);
        var path = Path.Combine(_directory.FullName, $"elf{_directory.GetFiles().Length}");
        File.WriteAllBytes(path, bytes);
        return path;

        void Segment(uint type, int at, byte[] content)
        {
            content.CopyTo(bytes, at);
            var header = Segments + (56 * segments++);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(header), type);
            Put64(header + 8, (ulong)at);
            Put64(header + 32, (ulong)content.Length);
        }

        void Put16(int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), value);

        void Put64(int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value);
    }

    private static byte[] Note(string name, uint type, string text)
    {
        var bytes = new byte[16 + ((text.Length + 3) & ~3)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)name.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4), (uint)text.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), type);
        Encoding.ASCII.GetBytes(name).CopyTo(bytes, 12);
        Encoding.ASCII.GetBytes(text).CopyTo(bytes, 16);
        return bytes;
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chown(string path, uint owner, uint group);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int setxattr(string path, string name, void* value, nuint size, int flags);
}
