using System.Globalization;

namespace Tapwire.Actors.Services;

/// <summary>The head of a request of HTTP/1.0 or HTTP/1.1 (RFC 9112), as far as the http service looks at it.</summary>
internal sealed class HttpRequest
{
    private readonly string[] _fields;

    private HttpRequest(string method, string target, bool isOld, string[] fields)
    {
        (Method, Target, _fields) = (method, target, fields);
        var query = target.IndexOf('?', StringComparison.Ordinal);
        (Path, Query) = query < 0 ? (target, "") : (target[..query], target[(query + 1)..]);
        var connection = Field("Connection");
        IsLast = connection.Contains("close", StringComparison.OrdinalIgnoreCase) || (isOld && !connection.Contains("keep-alive", StringComparison.OrdinalIgnoreCase));
    }

    public string Method { get; }

    /// <summary>As it stands in the request.</summary>
    public string Target { get; }

    /// <summary>The target up to its question mark.</summary>
    public string Path { get; }

    /// <summary>What follows the question mark; empty: nothing.</summary>
    public string Query { get; }

    /// <summary>The client wants no further answer on this connection.</summary>
    public bool IsLast { get; }

    /// <summary>The client is a browser, which takes HTML; curl and its like say that they take anything, and get plain text.</summary>
    public bool TakesHtml => Field("Accept").Contains("text/html", StringComparison.OrdinalIgnoreCase);

    /// <summary>Bytes follow that are no request. They would be taken for one.</summary>
    public bool HasBody => Has("Transfer-Encoding") || (Has("Content-Length") && !(long.TryParse(Field("Content-Length"), NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length == 0));

    /// <summary>The token of "Authorization: Bearer" (RFC 6750, 2.1); empty: there is none.</summary>
    public string Token => Field("Authorization") is var value && value.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) ? value["Bearer ".Length..].Trim() : "";

    /// <param name="head">Up to the empty line at its end, and without that.</param>
    /// <returns>Null: it is no such request.</returns>
    public static HttpRequest? Parse(string head)
    {
        // An empty line before the request is ignored (RFC 9112, 2.2).
        var lines = head.TrimStart('\r', '\n').Split("\r\n");
        return lines[0].Split(' ') is [var method, var target, "HTTP/1.1" or "HTTP/1.0"] line ? new HttpRequest(method, target, line[2] == "HTTP/1.0", lines[1..]) : null;
    }

    private bool Has(string name) => Array.Exists(_fields, field => IsNamed(field, name));

    private string Field(string name) => Array.Find(_fields, field => IsNamed(field, name)) is { } found ? found[(name.Length + 1)..].Trim() : "";

    private static bool IsNamed(string field, string name) => field.Length > name.Length && field[name.Length] == ':' && field.StartsWith(name, StringComparison.OrdinalIgnoreCase);
}
