using System.Globalization;
using System.Text;

namespace Tapwire.Proxy;

/// <summary>The head of an HTTP request to a proxy (RFC 9110, 9.3.6; RFC 9112, 3.2.3). Only CONNECT is served; other methods are parsed so that they can be
/// refused.</summary>
/// <param name="Method">As it is written: methods are case-sensitive.</param>
/// <param name="Target">The target of CONNECT. Null if it is not HOST:PORT.</param>
/// <param name="Credentials">The decoded credentials of scheme Basic in Proxy-Authorization: name, colon, password. Null without that field, or with another
/// scheme.</param>
/// <param name="Length">Bytes of the head, its empty line included.</param>
public sealed record HttpConnect(string Method, Destination? Target, byte[]? Credentials, int Length)
{
    /// <summary>The most bytes of a head.</summary>
    public const int MaxHead = 8192;

    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out HttpConnect? request)
    {
        request = null;
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0 || end + 4 > MaxHead)
            return bytes.Length >= MaxHead ? ParseStatus.Malformed : ParseStatus.Incomplete;

        var lines = Encoding.Latin1.GetString(bytes[..end]).Split("\r\n");
        if (lines[0].Split(' ') is not [var method, var target, "HTTP/1.1" or "HTTP/1.0"] || !IsToken(method) || target.Length == 0)
            return ParseStatus.Malformed;
        byte[]? credentials = null;
        foreach (var line in lines.AsSpan(1))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0 || !IsToken(line.AsSpan(0, colon)))
                return ParseStatus.Malformed;
            if (line.AsSpan(0, colon).Equals("Proxy-Authorization", StringComparison.OrdinalIgnoreCase))
                credentials = Basic(line.AsSpan(colon + 1).Trim());
        }

        request = new HttpConnect(method, Destination.TryParse(target, out var destination, out _) ? destination : null, credentials, end + 4);
        return ParseStatus.Complete;
    }

    /// <summary>The answer to a CONNECT that has succeeded. The bytes after it are the tunnel's.</summary>
    public static byte[] Established() => "HTTP/1.1 200 Connection established\r\n\r\n"u8.ToArray();

    /// <summary>A refusal, after which the connection ends.</summary>
    /// <param name="status">Code and reason, as in "403 Forbidden".</param>
    /// <param name="text">One line for a person.</param>
    /// <param name="fields">Further fields, each with its line end.</param>
    public static byte[] Refusal(string status, string text, string fields = "") => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture,
        $"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {Encoding.UTF8.GetByteCount(text) + 1}\r\n{fields}Connection: close\r\n\r\n{text}\n"));

    /// <summary>RFC 7617: base64 of name:password.</summary>
    private static byte[]? Basic(ReadOnlySpan<char> value)
    {
        if (!value.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase))
            return null;
        var text = value["Basic ".Length..].Trim();
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64Chars(text, bytes, out var length) ? bytes[..length] : null;
    }

    /// <summary>RFC 9110, 5.6.2.</summary>
    private static bool IsToken(ReadOnlySpan<char> text) =>
        !text.IsEmpty && !text.ContainsAnyExcept("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}
