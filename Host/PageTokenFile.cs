using Tapwire.Actors.Services.Page;
using Tapwire.Actors.Settings;

namespace Tapwire.Host;

/// <summary>The file with the token of the live page.</summary>
internal static class PageTokenFile
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>Reads the token, or makes the file with a new one.</summary>
    /// <returns>Null: the settings name no file.</returns>
    /// <exception cref="CommandFailedException">The file cannot be read or made, has no token, or others may read it.</exception>
    public static PageToken? Open(HttpSettings settings)
    {
        if (settings.TokenFile is not { Length: > 0 } path)
            return null;
        string text;
        try
        {
            text = ReadOrMake(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CommandFailedException($"The page's token cannot be read from or written to '{Complaint.Short(path)}': {FileProblem.Describe(e, path)}; name another file with --http-token.", e);
        }

        return PageToken.TryParse(text, out var token) ? token
            : throw new CommandFailedException($"'{Complaint.Short(path)}' has no token for the page; it must be {PageToken.Accepted}. Where there is no such file, the driver makes it.");
    }

#pragma warning disable CA1416 // Modes of files are not Windows', and neither is Tapwire.
    private static string ReadOrMake(string path)
    {
        if (!File.Exists(path))
        {
            using var made = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly });
            using var writer = new StreamWriter(made);
            var token = PageToken.MakeText();
            writer.Write($"{token}\n");
            return token;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if ((File.GetUnixFileMode(file.SafeFileHandle) & Others) != 0)
            throw new CommandFailedException($"The page's token in '{Complaint.Short(path)}' can be read by others; 'chmod 600' it, and better have a new one.");
        // Of a file that is something else, no more is read than tells so.
        var bytes = new byte[PageToken.MaxLength + 2];
        var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return System.Text.Encoding.ASCII.GetString(bytes.AsSpan(0, length)).Split('\n')[0].TrimEnd('\r');
    }
#pragma warning restore CA1416
}
