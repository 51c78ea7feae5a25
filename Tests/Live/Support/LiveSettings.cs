namespace Tapwire.Tests.Live.Support;

/// <summary>
/// Settings that all drivers of the live specs have: TAPWIRE_LIVE_SETTINGS='tapwire.tap.offload = off' runs all of them on frames of the wire's own size. A spec's own
/// settings come first.
/// </summary>
internal static class LiveSettings
{
    private static readonly string Common = Environment.GetEnvironmentVariable("TAPWIRE_LIVE_SETTINGS") ?? "";

    /// <summary>Writes a file for --config, and returns the arguments that name it; none where nothing is set.</summary>
    /// <param name="settings">HOCON of the spec; may be empty.</param>
    public static string[] WriteTo(DirectoryInfo directory, string settings)
    {
        var all = $"{Common}\n{settings}".Trim();
        if (all.Length == 0)
            return [];
        var file = Path.Combine(directory.FullName, "spec.hocon");
        File.WriteAllText(file, all);
        return ["--config", file];
    }
}
