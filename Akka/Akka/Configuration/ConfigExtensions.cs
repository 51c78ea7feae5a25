namespace Akka.Configuration;

public static class ConfigExtensions
{
    /// <summary>The configuration with the fallback behind it, or the fallback alone where the configuration is null.</summary>
    public static Config SafeWithFallback(this Config config, Config fallback) =>
        config is null ? fallback
        : ReferenceEquals(config, fallback) ? config
        : config.WithFallback(fallback);

    /// <summary>Whether there is nothing to read: the configuration is null or has no key.</summary>
    public static bool IsNullOrEmpty(this Config config) => config is null || config.IsEmpty;
}
