using Tapwire.Configuration;

namespace Tapwire.Host;

/// <summary>Directories for files that are not needed after a command.</summary>
internal static class TemporaryDirectory
{
    /// <summary>Makes one, with a name that nothing else has.</summary>
    /// <exception cref="CommandFailedException">The directory cannot be made.</exception>
    public static DirectoryInfo Create(string prefix)
    {
        try
        {
            return Directory.CreateTempSubdirectory(prefix);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var parent = Path.GetTempPath();
            throw new CommandFailedException(
                $"No directory can be made in '{Complaint.Short(parent)}': {FileProblem.Describe(e, "")}; have TMPDIR name one that can be written.", e);
        }
    }
}
