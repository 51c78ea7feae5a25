using System.Globalization;

namespace Tapwire.Posix;

/// <summary>Reads files below /proc (proc(5)). One that cannot be read counts as empty.</summary>
public static class ProcFile
{
    /// <summary>The whole file; empty if it cannot be read.</summary>
    public static string Text(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>The trimmed text behind a field's name at the beginning of a line; null if no line begins so.</summary>
    public static string? Field(string path, string name) =>
        Text(path).Split('\n').FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))?[name.Length..].Trim();

    /// <summary>A set of bits in the status of a process, such as its signals or capabilities; 0 if it cannot be read.</summary>
    /// <param name="process">A process id, or "self".</param>
    /// <param name="name">As in "SigIgn:".</param>
    public static ulong Set(string process, string name) =>
        ulong.TryParse(Field($"/proc/{process}/status", name), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var set) ? set : 0;
}
