using System.Buffers.Binary;
using System.Text;

namespace Tapwire.Host;

/// <summary>What the headers of an executable ELF file say about how the system runs it (elf(5)).</summary>
/// <param name="Class">Of e_ident: 1 is 32-bit, 2 is 64-bit.</param>
/// <param name="Machine">e_machine; 0 for a big-endian file, which no machine that Tapwire runs on executes.</param>
/// <param name="Interpreter">PT_INTERP, the path of the dynamic loader; null for a file that is linked statically.</param>
/// <param name="IsGo">The file has a Go build id, or a section of Go's linker.</param>
internal sealed record ElfFile(byte Class, ushort Machine, string? Interpreter, bool IsGo)
{
    public const byte Class64 = 2;

    private const byte LittleEndian = 1;
    private const int HeaderSize = 64;
    private const int ProgramHeaderSize = 56;
    private const int SectionHeaderSize = 64;
    private const uint LoaderSegment = 3;
    private const uint NoteSegment = 4;
    private const uint GoBuildId = 4;

    // PATH_MAX. The kernel refuses a longer interpreter.
    private const int MaxInterpreter = 4096;
    private const int MaxNotes = 64 * 1024;
    private const int MaxNames = 1024 * 1024;

    private static readonly string[] GoSections = [".note.go.buildid", ".go.buildinfo", ".gopclntab"];

    /// <summary>The loader of this process, whose C library libtapwire.so is linked with; null if it has none.</summary>
    public static string? OwnInterpreter { get; } = TryRead("/proc/self/exe")?.Interpreter;

    /// <summary>Null if the file is no ELF file.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The file cannot be read.</exception>
    public static ElfFile? Read(string path)
    {
        using var stream = File.OpenRead(path);
        var header = new byte[HeaderSize];
        if (stream.ReadAtLeast(header, HeaderSize, throwOnEndOfStream: false) < HeaderSize && !header.AsSpan().StartsWith("\u007FELF"u8))
            return null;
        if (!header.AsSpan().StartsWith("\u007FELF"u8))
            return null;
        var (kind, order) = (header[4], header[5]);
        if (order != LittleEndian)
            return new(kind, 0, null, false);
        var machine = U16(header, 18);
        return kind == Class64 ? ReadSegments(stream, header, machine) : new(kind, machine, null, false);
    }

    private static ElfFile? TryRead(string path)
    {
        try
        {
            return Read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static ElfFile ReadSegments(FileStream stream, byte[] header, ushort machine)
    {
        string? interpreter = null;
        var isGo = HasGoSection(stream, header);
        var table = Part(stream, U64(header, 32), (ulong)U16(header, 56) * ProgramHeaderSize, ushort.MaxValue * ProgramHeaderSize);
        for (var at = 0; at + ProgramHeaderSize <= table.Length; at += ProgramHeaderSize)
        {
            var (kind, offset, length) = (U32(table, at), U64(table, at + 8), U64(table, at + 32));
            if (kind == LoaderSegment)
                interpreter = Encoding.UTF8.GetString(Part(stream, offset, length, MaxInterpreter)).TrimEnd('\0');
            else if (kind == NoteSegment)
                isGo |= HasGoNote(Part(stream, offset, length, MaxNotes));
        }

        return new(Class64, machine, interpreter, isGo);
    }

    private static bool HasGoNote(byte[] notes)
    {
        var at = 0L;
        while (at + 12 <= notes.Length)
        {
            var (nameLength, length, kind) = (U32(notes, (int)at), U32(notes, (int)at + 4), U32(notes, (int)at + 8));
            if (kind == GoBuildId && nameLength == 4 && at + 16 <= notes.Length && notes.AsSpan((int)at + 12, 4).SequenceEqual("Go\0\0"u8))
                return true;
            at += 12 + Padded(nameLength) + Padded(length);
        }

        return false;
    }

    /// <summary>Go's linker can be told to leave the build id away, but not the table of its runtime.</summary>
    private static bool HasGoSection(FileStream stream, byte[] header)
    {
        var (count, names) = (U16(header, 60), U16(header, 62));
        var table = Part(stream, U64(header, 40), (ulong)count * SectionHeaderSize, ushort.MaxValue * SectionHeaderSize);
        if (U16(header, 58) != SectionHeaderSize || (names + 1) * SectionHeaderSize > table.Length)
            return false;
        var text = Part(stream, U64(table, (names * SectionHeaderSize) + 24), U64(table, (names * SectionHeaderSize) + 32), MaxNames);
        for (var at = 0; at + SectionHeaderSize <= table.Length; at += SectionHeaderSize)
        {
            var name = U32(table, at);
            if (name < text.Length && Array.IndexOf(GoSections, Encoding.ASCII.GetString(text.AsSpan((int)name)).Split('\0')[0]) >= 0)
                return true;
        }

        return false;
    }

    private static long Padded(uint length) => ((long)length + 3) & ~3L;

    /// <summary>A part of the file; what reaches past its end, or is longer than most, is not there.</summary>
    private static byte[] Part(FileStream stream, ulong offset, ulong length, int most)
    {
        if (offset > (ulong)stream.Length)
            return [];
        var bytes = new byte[Math.Min(Math.Min(length, (ulong)most), (ulong)stream.Length - offset)];
        stream.Position = (long)offset;
        return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }

    private static ushort U16(byte[] bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(at));

    private static uint U32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at));

    private static ulong U64(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
}
