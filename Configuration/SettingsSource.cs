using Akka.Configuration;
using Akka.Configuration.Hocon;
using Tapwire.Actors.Settings;

namespace Tapwire.Configuration;

/// <summary>One HOCON text with its name and the places of its keys, for messages.</summary>
internal sealed class SettingsSource
{
    /// <summary>Most characters of a file. A larger one is not a file of settings, or is a device without an end.</summary>
    private const int MaxLength = 1 << 20;

    private const char ByteOrderMark = '\uFEFF';

    private SettingsSource(string name, IReadOnlyDictionary<string, HoconKey> keys, Config config) => (Name, Keys, Config) = (name, keys, config);

    public string Name { get; }

    /// <summary>All keys by path, each section before its contents.</summary>
    public IReadOnlyDictionary<string, HoconKey> Keys { get; }

    public Config Config { get; }

    /// <exception cref="SettingsException">The file does not exist, or is not HOCON.</exception>
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
        // Akka.NET's parser does not recognise a comment that consists of the last character of a text, so the text gets a final new line.
        var config = ConfigurationFactory.ParseString(text + "\n");
        RemoveNoElements(config.Root);
        return new SettingsSource(name, keys, config);
    }

    /// <summary>Removes elements without a value. Akka.NET's parser makes one of a list that contains only blanks and comments.</summary>
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
