using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Tapwire.Stack.Packets;

/// <summary>The names in a DNS search list option (RFC 8106, 5.2): uncompressed, padded with zeros.</summary>
internal static class DnsSearchList
{
    private const int MaxLabel = 63;
    private const int MaxName = 255;

    /// <summary>Writes names one behind the other, without padding. What no name can be is left out.</summary>
    public static byte[] Emit(IReadOnlyList<string> names)
    {
        var bytes = new List<byte>();
        foreach (var name in names)
        {
            var labels = name.TrimEnd('.').Split('.');
            if (name.Length < MaxName && Array.TrueForAll(labels, static label => label.Length is > 0 and <= MaxLabel && Ascii.IsValid(label)))
                bytes.AddRange([.. labels.SelectMany(static label => (byte[])[(byte)label.Length, .. Encoding.ASCII.GetBytes(label)]), 0]);
        }

        return [.. bytes];
    }

    /// <summary>Takes the next name.</summary>
    /// <param name="rest">What is left when the method returns: nothing after the last name.</param>
    /// <returns>False: there is none; or it is malformed, and <paramref name="rest"/> is not empty.</returns>
    public static bool TryTake(ref ReadOnlySpan<byte> rest, [NotNullWhen(true)] out string? name)
    {
        name = null;
        if (!rest.ContainsAnyExcept((byte)0))
        {
            rest = default;
            return false;
        }

        var text = new StringBuilder();
        var at = 0;
        while (at < rest.Length && at < MaxName && rest[at] is var length and > 0)
        {
            if (length > MaxLabel || at + 1 + length > rest.Length)
                return false;
            if (text.Length > 0)
                text.Append('.');
            foreach (var octet in rest.Slice(at + 1, length))
            {
                // A host name's letters only: the list goes into questions and messages.
                if (!char.IsAsciiLetterOrDigit((char)octet) && octet is not ((byte)'-' or (byte)'_'))
                    return false;
                text.Append(char.ToLowerInvariant((char)octet));
            }

            at += 1 + length;
        }

        if (at == 0 || at >= rest.Length || at >= MaxName)
            return false;
        rest = rest[(at + 1)..];
        name = text.ToString();
        return true;
    }
}
