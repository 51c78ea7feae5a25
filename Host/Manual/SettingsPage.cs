using Tapwire.Configuration;

namespace Tapwire.Host.Manual;

/// <summary>tapwire.hocon(5), generated from <c>akka.hocon</c>: the keys with their defaults, described by the comments.</summary>
internal static class SettingsPage
{
    public const string Name = "tapwire.hocon";

    /// <summary>A group of related keys, or the beginning of a section.</summary>
    /// <param name="Keys">Keys with their defaults, as in <c>mtu = 0</c>; empty for a section.</param>
    internal sealed record Entry(string Section, IReadOnlyList<string> Keys, string Description);

    public static string Write(string defaults, string version, string date)
    {
        var page = new Roff(Name, 5, date, $"Tapwire {version}");
        page.Section("NAME");
        page.Line($"{Name} \\- settings of Tapwire");
        page.Section("SYNOPSIS");
        page.Line($"{Roff.Bold("tapwire up --config")} {Roff.Italic("FILE")}");
        page.Section("DESCRIPTION");
        page.Text("The file holds what differs from the defaults, which are shown below. The command line goes before the file. "
            + "A key that is not a setting, or a value that cannot be used, is refused with its name and line.");
        page.Paragraph("The format is HOCON without include, +=, and optional substitutions. A key may be written with its whole path, or within its section:");
        page.Example("tapwire.tcp.min-rto = 100ms\ntapwire {\n  addresses = [\"10.99.0.2/24\"]\n  tcp {\n    ecn = on\n  }\n}");
        page.Paragraph("Durations are written as 500us, 10ms, 2s, 5m, 1h, or infinite. Sizes are written as 64KiB, 1MiB, or plain bytes. Switches are on or off.");
        page.Section("SETTINGS");
        string? section = null;
        foreach (var entry in Read(defaults))
        {
            if (entry.Section != section)
                page.Subsection(section = entry.Section);
            if (entry.Keys.Count == 0)
                page.Text(entry.Description);
            else
                page.Item([.. entry.Keys.Select(key => Roff.Bold($"{entry.Section}.{key}"))], entry.Description);
        }

        page.Section("FILES");
        page.Item([Roff.Italic("/etc/tapwire/tapwire.hocon")], "The settings of the system's service. A password in it is read by root and the service alone: its mode is 0640, its group tapwire.");
        page.Section("EXAMPLES");
        page.Paragraph("A proxy that asks for a password:");
        page.Example("tapwire {\n  wire = \"tap:tw0\"\n  addresses = [\"10.99.0.2/24\"]\n  socks {\n    listen = [\"127.0.0.1:1080\"]\n    user = \"me\"\n    password = \"secret\"\n  }\n}");
        page.Section("SEE ALSO");
        page.Line(".BR tapwire (1),");
        page.Line(".BR tapwire\\-up (1)");
        return page.ToString();
    }

    /// <summary>
    /// Reads the file by its layout: a comment precedes what it describes, keys without a blank line between them form a group, and a section begins with a brace at the
    /// end of a line. That the file is valid HOCON has been checked elsewhere.
    /// </summary>
    internal static IEnumerable<Entry> Read(string defaults)
    {
        var path = new List<string>();
        var comment = new List<string>();
        var keys = new List<string>();
        foreach (var line in defaults.Split('\n').Select(static line => line.Trim()))
        {
            // A group ends at anything that is not a key.
            var isKey = line.Length > 0 && line[0] is not ('#' or '}') && !line.EndsWith('{');
            if (!isKey && keys.Count > 0)
            {
                yield return new Entry(string.Join('.', path), [.. keys], string.Join(' ', comment));
                keys.Clear();
                comment.Clear();
            }

            if (line.Length == 0)
                comment.Clear();
            else if (line[0] == '#')
                comment.Add(line[1..].Trim());
            else if (line[0] == '}')
                path.RemoveAt(path.Count - 1);
            else if (isKey)
                keys.Add(line);
            else
            {
                path.Add(line[..^1].Trim());
                if (comment.Count > 0)
                    yield return new Entry(string.Join('.', path), [], string.Join(' ', comment));
                comment.Clear();
            }
        }
    }
}
