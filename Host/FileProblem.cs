using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Why the system does not give a file or a directory, in its own words.</summary>
internal static class FileProblem
{
    /// <summary>What an operation on the path has thrown, as in "Permission denied".</summary>
    public static string Describe(Exception e, string path) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => Errors.Describe(Errors.ENOENT),
        UnauthorizedAccessException when Directory.Exists(path) => Errors.Describe(Errors.EISDIR),
        UnauthorizedAccessException => Errors.Describe(Errors.EACCES),
        PathTooLongException => Errors.Describe(Errors.ENAMETOOLONG),
        ArgumentException => "it has no name",
        _ => SystemsWords(e),
    };

    /// <summary>What the system said, which stands before the path that the caller names.</summary>
    public static string SystemsWords(Exception e) => e.Message.Split(" : ")[0].TrimEnd('.');

    /// <summary>A directory for what lasts no longer than the command.</summary>
    /// <exception cref="CommandFailedException">None can be made.</exception>
    public static DirectoryInfo CreateTemporary(string prefix)
    {
        try
        {
            return Directory.CreateTempSubdirectory(prefix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var parent = Path.GetTempPath();
            throw new CommandFailedException(
                $"No directory can be made in '{Complaint.Short(parent)}': {Describe(e, "")}; have TMPDIR name one that can be written.", e);
        }
    }
}
