namespace Tapwire.Host;

/// <summary>What the program ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;

    /// <summary>One line on standard error says what went wrong and what to do.</summary>
    public const int Failed = 1;

    /// <summary>The command line, or a setting, is wrong.</summary>
    public const int Usage = 2;

    /// <summary>Ctrl-C.</summary>
    public const int Interrupted = 130;
}
