using Akka.Configuration;
using Akka.Configuration.Hocon;
using Tapwire.Actors.Settings;

namespace Tapwire.Host.Configuration;

/// <summary>One HOCON text that has been read, with its name and its keys for messages that say where a key stands.</summary>
internal sealed class SettingsSource
{
    /// <summary>Characters; a larger file is something else, or never ends.</summary>
    private const int MaxLength = 1 << 20;

    private const char ByteOrderMark = '\uFEFF';

    private SettingsSource(string name, IReadOnlyDictionary<string, HoconKey> keys, Config config) => (Name, Keys, Config) = (name, keys, config);

    public string Name { get; }

    /// <summary>By path, sections before what stands in them.</summary>
    public IReadOnlyDictionary<string, HoconKey> Keys { get; }

    public Config Config { get; }

    /// <exception cref="SettingsException">There is no such file, or it is not HOCON.</exception>
    public static SettingsSource Read(string path, string name)
    {
        try
        {
            if (path.Length == 0)
                throw new SettingsException("The configuration file has no name; write it after --config.");
            using var reader = new StreamReader(path);
            var text = new char[MaxLength + 1];
            var length = reader.ReadBlock(text);
            return length <= MaxLength
                ? Parse(name, new string(text, 0, length))
                : throw new SettingsException($"The configuration file '{Complaint.Short(path)}' is larger than {ByteSize.Format(MaxLength)}; name one that has settings in it.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new SettingsException($"The configuration file '{Complaint.Short(path)}' cannot be read: {FileProblem.Describe(e, path)}; name a file that can.", e);
        }
    }

    /// <exception cref="SettingsException">The text is not HOCON.</exception>
    public static SettingsSource Parse(string name, string text)
    {
        text = text.TrimStart(ByteOrderMark);
        var keys = HoconSyntax.Check(name, text);
        // Akka.NET's parser does not take the last character of a text for the beginning of a comment.
        var config = ConfigurationFactory.ParseString(text + "\n");
        RemoveNoElements(config.Root);
        return new SettingsSource(name, keys, config);
    }

    /// <summary>Akka.NET's parser takes a list of nothing but blanks and comments for one with an element that has no value.</summary>
    private static void RemoveNoElements(HoconValue value)
    {
        foreach (var part in value.Values)
        {
            if (part is HoconArray list)
            {
                list.RemoveAll(static element => element.Values.Count == 0);
                list.ForEach(RemoveNoElements);
            }
            else if (part is HoconObject section)
            {
                foreach (var item in section.Items.Values)
                    RemoveNoElements(item);
            }
        }
    }
}
