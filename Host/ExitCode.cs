namespace Tapwire.Host;

/// <summary>What the program ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>One line on standard error says what went wrong and what to do.</summary>
    public const int Failed = 1;

    /// <summary>The command line, or a setting, is wrong.</summary>
    public const int Usage = 2;

    /// <summary>A program that was to be run is there and cannot be; as shells have it.</summary>
    public const int NotExecutable = 126;

    /// <summary>A program that was to be run is not there; as shells have it.</summary>
    public const int NotFound = 127;

    /// <summary>The terminal has hung up: 128 and the number of SIGHUP, as a shell says it.</summary>
    public const int HungUp = 129;

    /// <summary>Ctrl-C.</summary>
    public const int Interrupted = 130;
}
