using System.Reflection;

namespace Tapwire.Host;

/// <summary>The files that belong to the program: beside it, or embedded if the program is a single file.</summary>
internal static class OwnFile
{
    public static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>The embedded file; null if the program was built without it.</summary>
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
