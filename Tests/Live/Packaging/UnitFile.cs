namespace Tapwire.Tests.Live.Packaging;

/// <summary>What a systemd unit file says, so that specs can do it where there is no systemd.</summary>
internal sealed class UnitFile
{
    private readonly ILookup<string, string> _settings;

    private UnitFile(IEnumerable<string> lines) => _settings = lines
        .Where(static line => line.Length > 0 && line[0] is not ('#' or '[') && line.Contains('='))
        .ToLookup(static line => line[..line.IndexOf('=', StringComparison.Ordinal)], static line => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..]);

    public string this[string name] => _settings[name].Last();

    public static UnitFile Read(string path) => new(File.ReadLines(path));

    public IEnumerable<string> All(string name) => _settings[name];
}
