namespace Tapwire.Actors.Settings;

/// <summary>A setting that cannot be used. The message is one line: which key, where, what is wrong, what is accepted.</summary>
public sealed class SettingsException : Exception
{
    public SettingsException(string message)
        : base(message)
    {
    }

    public SettingsException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public SettingsException()
    {
    }
}
