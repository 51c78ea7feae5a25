namespace Akka.Configuration.Hocon;

/// <summary>A place in a text; lines and columns count from one.</summary>
internal readonly record struct TextPosition(int Line, int Column)
{
    public ConfigurationException Error(string what) => new($"line {Line}, column {Column}: {what}");
}
