using System.Reflection;
using System.Text.Json;
using System.Xml;
using System.Xml.Linq;
using Akka.Configuration.Hocon;

namespace Akka.Configuration;

/// <summary>Makes <see cref="Config"/> out of text, embedded resources, objects and the application's own configuration file.</summary>
public class ConfigurationFactory
{
    private static readonly Lazy<Config> Reference =
        new(() => FromResource("Akka.Configuration.akka.conf", typeof(ConfigurationFactory).Assembly));

    /// <summary>A configuration without any key.</summary>
    public static Config Empty => ParseString("");

    /// <exception cref="ConfigurationException">The text is not HOCON; the message says where and what was expected.</exception>
    public static Config ParseString(string hocon) => ParseString(hocon, null);

    /// <param name="includeCallback">Called with the name in <c>include "name"</c>; answers what to include.</param>
    /// <exception cref="ConfigurationException">The text is not HOCON; the message says where and what was expected.</exception>
    public static Config ParseString(string hocon, Func<string, HoconRoot> includeCallback) => new(Parser.Parse(hocon, includeCallback));

    /// <summary>
    /// The HOCON in the <c>akka</c> section of the application's XML configuration file (<c>App.dll.config</c>),
    /// or an empty configuration where there is no such file or section.
    /// </summary>
    /// <exception cref="ConfigurationException">The file is not XML, or the section's text is not HOCON.</exception>
    public static Config Load()
    {
        var assembly = Assembly.GetEntryAssembly()?.GetName().Name;
        var file = Path.Combine(AppContext.BaseDirectory, assembly + ".dll.config");
        if (assembly is null || !File.Exists(file))
            return Empty;
        try
        {
            var hocon = XDocument.Load(file).Root?.Element("akka")?.Element("hocon")?.Value;
            return hocon is null ? Empty : ParseString(hocon);
        }
        catch (XmlException e)
        {
            throw new ConfigurationException($"{file} is not an XML configuration file: {e.Message}", e);
        }
    }

    /// <summary>The reference configuration: the default of every setting of the actor runtime.</summary>
    public static Config Default() => Reference.Value;

    /// <param name="instanceInAssembly">The assembly, or a type or an instance of a type that is defined in it.</param>
    public static Config FromResource(string resourceName, object instanceInAssembly) => instanceInAssembly switch
    {
        Type type => FromResource(resourceName, type.Assembly),
        Assembly assembly => FromResource(resourceName, assembly),
        _ => FromResource(resourceName, instanceInAssembly.GetType().Assembly),
    };

    /// <typeparam name="TAssembly">A type defined in the assembly that holds the resource.</typeparam>
    public static Config FromResource<TAssembly>(string resourceName) => FromResource(resourceName, typeof(TAssembly).Assembly);

    /// <exception cref="ConfigurationException">The assembly has no such resource, or it is not HOCON.</exception>
    public static Config FromResource(string resourceName, Assembly assembly)
    {
        using var stream = assembly.GetManifestResourceStream(resourceName)
            ?? throw new ConfigurationException($"Assembly {assembly.GetName().Name} has no resource named [{resourceName}].");
        using var reader = new StreamReader(stream);
        return ParseString(reader.ReadToEnd());
    }

    /// <summary>The public properties of an object as a configuration; nested objects become sections.</summary>
    public static Config FromObject(object source) => ParseString(JsonSerializer.Serialize(source));
}
