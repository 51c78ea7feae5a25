using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Signals that the process was started to ignore.</summary>
internal static class IgnoredSignals
{
    private const int SIGHUP = 1;

    /// <summary>True when SIGHUP was ignored at the start, as nohup does it. Without /proc this is unknown; then the program handles the signal.</summary>
    public static bool HangUp { get; } = (ProcFile.Set("self", "SigIgn:") & (1UL << (SIGHUP - 1))) != 0;
}
