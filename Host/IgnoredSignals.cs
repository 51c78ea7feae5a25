using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>The signals that whoever has started the program wants it to ignore.</summary>
internal static class IgnoredSignals
{
    private const int SIGHUP = 1;

    /// <summary>It was started by nohup, or by something like it. Without /proc nobody can tell: then the signal is the program's.</summary>
    public static bool HangUp { get; } = (ProcFile.Set("self", "SigIgn:") & (1UL << (SIGHUP - 1))) != 0;
}
