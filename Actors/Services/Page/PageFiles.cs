using System.Collections.Frozen;

namespace Tapwire.Actors.Services.Page;

/// <summary>A file of the live page.</summary>
internal sealed record PageFile(string ContentType, ReadOnlyMemory<byte> Bytes);

/// <summary>The files of the live page, which are parts of the assembly. None of them refers to anything beyond the driver.</summary>
internal static class PageFiles
{
    private const string Prefix = "page/";

    // A browser is to run the page's own scripts and nothing else, to show it in no frame, and to tell no other host of it.
    private const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Header fields of everything that the page consists of, figures too: nobody guesses a type, and no other site includes it.</summary>
    private const string Common = "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n";

    /// <summary>Header fields of what is of this moment only.</summary>
    public const string Unstored = $"{Common}Cache-Control: no-store\r\n";

    /// <summary>Header fields of the files.</summary>
    public const string Fields = $"Content-Security-Policy: {Policy}\r\n{Common}Cache-Control: no-cache\r\nVary: Accept\r\n";

    private static readonly FrozenDictionary<string, PageFile> All = Read();

    /// <param name="path">As in "/page.css"; "/" is the page itself.</param>
    /// <returns>Null: there is no such file.</returns>
    public static PageFile? Find(string path) => All.GetValueOrDefault(path);

    private static FrozenDictionary<string, PageFile> Read()
    {
        var assembly = typeof(PageFiles).Assembly;
        return assembly.GetManifestResourceNames().Where(static name => name.StartsWith(Prefix, StringComparison.Ordinal)).ToFrozenDictionary(static name => PathOf(name[Prefix.Length..]), name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            return new PageFile(TypeOf(name), bytes);
        });
    }

    private static string PathOf(string name) => name == "index.html" ? "/" : $"/{name}";

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".svg" => "image/svg+xml",
        var other => throw new InvalidOperationException($"Files of the page have no type {other}."),
    };
}
