using Akka.Actor;

namespace Akka.Configuration;

/// <summary>Text is not HOCON, or a setting is missing or unusable. A parse error's message begins with <c>line L, column C</c>.</summary>
public class ConfigurationException : AkkaException
{
    public ConfigurationException(string message)
        : base(message)
    {
    }

    public ConfigurationException(string message, Exception exception)
        : base(message, exception)
    {
    }

    /// <summary>The exception for a <typeparamref name="T"/> whose section of the configuration is null or empty.</summary>
    /// <param name="path">The section's path, if it is known.</param>
    public static ConfigurationException NullOrEmptyConfig<T>(string path = null) =>
        new(string.IsNullOrEmpty(path)
            ? $"Failed to instantiate {typeof(T).Name}: its configuration is null or empty."
            : $"Failed to instantiate {typeof(T).Name}: the configuration at path [{path}] is null or empty.");
}
