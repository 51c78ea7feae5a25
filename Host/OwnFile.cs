using System.Reflection;

namespace Tapwire.Host;

/// <summary>The files that the program comes with: beside it, or, where it is a single file, within it.</summary>
internal static class OwnFile
{
    public static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>Null if the program was built without it.</summary>
    public static byte[]? Within(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name);
        if (stream is null)
            return null;
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
