using Microsoft.Win32.SafeHandles;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Wires.Capture;

namespace Tapwire.Host;

/// <summary>The file of a capture, or standard output.</summary>
internal static class CaptureFile
{
    private const int StandardOutput = 1;

    /// <summary>The capture that the settings ask for from the start on; null: none.</summary>
    /// <exception cref="CommandFailedException">The file cannot be written.</exception>
    public static StartCapture? Open(CaptureSettings settings) => settings.File.Length == 0 ? null
        : new StartCapture(new CaptureOptions { SnapLength = settings.SnapLength }, OpenStream(settings.File), settings.File == CaptureSettings.StandardOutput ? "standard output" : settings.File);

    /// <exception cref="SettingsException">Standard output is the program's own.</exception>
    public static void RefuseStandardOutput(CaptureSettings settings)
    {
        if (settings.File == CaptureSettings.StandardOutput)
            throw new SettingsException("--capture - is for 'tapwire up': here standard output belongs to the program; name a file, or have 'tapwire capture' ask a running driver.");
    }

    /// <summary>Opens a file for its owner only, since packets have what programs say; what it has had is lost.</summary>
    /// <param name="path">"-": standard output, whose failures are reported as the file's.</param>
    /// <exception cref="CommandFailedException">It cannot be written.</exception>
    public static FileStream OpenStream(string path)
    {
        try
        {
            return path == CaptureSettings.StandardOutput
                ? new FileStream(new SafeFileHandle(StandardOutput, ownsHandle: false), FileAccess.Write, bufferSize: 0)
                : new FileStream(path, new FileStreamOptions
                {
                    Mode = FileMode.Create,
                    Access = FileAccess.Write,
                    Share = FileShare.ReadWrite,
                    BufferSize = 0,
                    Options = FileOptions.Asynchronous,
#pragma warning disable CA1416 // Modes of files are not Windows', and neither is Tapwire.
                    UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
#pragma warning restore CA1416
                });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new CommandFailedException($"The capture cannot be written to '{Complaint.Short(path)}': {FileProblem.Describe(e, path)}; name another file.", e);
        }
    }
}
