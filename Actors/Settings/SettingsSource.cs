using Akka.Configuration;

namespace Tapwire.Actors.Settings;

/// <summary>One HOCON text with its name, for messages that say where a key stands.</summary>
public sealed record SettingsSource(string Name, string Text)
{
    /// <exception cref="SettingsException">The text is not HOCON.</exception>
    public Config Parse()
    {
        try
        {
            return ConfigurationFactory.ParseString(Text);
        }
        catch (Exception e) when (e is ConfigurationException or FormatException or NotSupportedException)
        {
            throw new SettingsException($"{Name}: {e.Message}", e);
        }
    }

    /// <summary>The 1-based line where a dotted key is assigned last, or null. Knows braces, comments and strings, as far as keys need.</summary>
    public int? LineOf(string path)
    {
        int? found = null;
        var prefix = new Stack<string>();
        var line = 0;
        foreach (var raw in Text.Split('\n'))
        {
            line++;
            var text = WithoutComment(raw);
            var key = "";
            var quoted = false;
            foreach (var c in text)
            {
                if (c == '"')
                    quoted = !quoted;
                switch (c)
                {
                    case var _ when quoted:
                        key += c;
                        break;
                    case '{':
                        prefix.Push(Below(prefix, key));
                        if (prefix.Peek() == path)
                            found = line;
                        key = "";
                        break;
                    case '}':
                        prefix.TryPop(out _);
                        key = "";
                        break;
                    case '=' or ':':
                        if (Below(prefix, key) == path)
                            found = line;
                        key += c;
                        break;
                    case ',':
                        key = "";
                        break;
                    default:
                        key += c;
                        break;
                }
            }
        }

        return found;
    }

    /// <summary>The whole path of a key in the innermost section, its quotes and operator aside.</summary>
    private static string Below(Stack<string> sections, string key)
    {
        var name = key.Trim(' ', '\t', '=', ':', '+').Replace("\"", "", StringComparison.Ordinal);
        return sections.TryPeek(out var section) && section.Length > 0 && name.Length > 0 ? $"{section}.{name}" : section + name;
    }

    private static string WithoutComment(string line)
    {
        var quoted = false;
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '"')
                quoted = !quoted;
            else if (!quoted && (line[i] == '#' || (line[i] == '/' && i + 1 < line.Length && line[i + 1] == '/')))
                return line[..i];
        }

        return line;
    }
}
