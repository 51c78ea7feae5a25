using Tapwire.Posix;

namespace Tapwire.Configuration;

/// <summary>The system's reason for refusing a file or directory, in the system's words.</summary>
internal static class FileProblem
{
    /// <summary>The reason in an exception of an operation on the path, as in "Permission denied".</summary>
    public static string Describe(Exception e, string path) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => Errors.Describe(Errors.ENOENT),
        UnauthorizedAccessException when Directory.Exists(path) => Errors.Describe(Errors.EISDIR),
        UnauthorizedAccessException => Errors.Describe(Errors.EACCES),
        PathTooLongException => Errors.Describe(Errors.ENAMETOOLONG),
        ArgumentException => "it has no name",
        _ => SystemsWords(e),
    };

    /// <summary>The system's words at the beginning of the message, without the path, which the caller adds.</summary>
    public static string SystemsWords(Exception e) => e.Message.Split(" : ")[0].TrimEnd('.');
}
