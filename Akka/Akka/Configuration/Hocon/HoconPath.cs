using System.Text;

namespace Akka.Configuration.Hocon;

/// <summary>Takes a path apart: <c>a."b.c".d</c> has three keys.</summary>
internal static class HoconPath
{
    public static IReadOnlyList<string> Split(string path)
    {
        if (!path.Contains('"', StringComparison.Ordinal))
            return path.Split('.');

        var keys = new List<string>();
        var key = new StringBuilder();
        var quoted = false;
        foreach (var c in path)
        {
            if (c == '"')
                quoted = !quoted;
            else if (c == '.' && !quoted)
            {
                keys.Add(key.ToString());
                key.Clear();
            }
            else
                key.Append(c);
        }
        keys.Add(key.ToString());
        return keys;
    }

    public static string Join(IEnumerable<string> keys) => string.Join('.', keys.Select(k => HoconText.Key(k, quoteDots: true)));
}
