namespace Tapwire.Actors.Settings;

/// <summary>An invalid setting. The message is one line: the key, where it is, what is wrong, what is accepted.</summary>
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
