namespace Tapwire.Host;

/// <summary>The exit codes of the program.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>The command has failed. One line on standard error says what went wrong and what to do.</summary>
    public const int Failed = 1;

    /// <summary>The command line, or a setting, is wrong.</summary>
    public const int Usage = 2;

    /// <summary>The program to be run exists but cannot be executed; the same code as a shell's.</summary>
    public const int NotExecutable = 126;

    /// <summary>The program to be run does not exist; the same code as a shell's.</summary>
    public const int NotFound = 127;

    /// <summary>The terminal has hung up: 128 plus the number of SIGHUP, as in a shell.</summary>
    public const int HungUp = 129;

    /// <summary>Ctrl-C: 128 plus the number of SIGINT.</summary>
    public const int Interrupted = 130;
}
