using System.Security.Cryptography;
using System.Text;

namespace Tapwire.Proxy;

/// <summary>The user who may use a proxy. Passwords are compared in constant time.</summary>
public sealed class ProxyUser
{
    /// <summary>Longest name, and longest password, in bytes of UTF-8 (RFC 1929, 2).</summary>
    public const int MaxLength = 255;

    private readonly byte[] _digest;

    public ProxyUser(string name, string password) => _digest = Digest(Encoding.UTF8.GetBytes(name), Encoding.UTF8.GetBytes(password));

    /// <summary>Whether a name or a password can be sent in both protocols: from 1 to 255 bytes, and, since HTTP ends a name there, no colon in a name.</summary>
    public static bool IsUsable(string text, bool isName) =>
        Encoding.UTF8.GetByteCount(text) is >= 1 and <= MaxLength && !text.Any(char.IsControl) && !(isName && text.Contains(':', StringComparison.Ordinal));

    public bool Matches(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password) => CryptographicOperations.FixedTimeEquals(_digest, Digest(name, password));

    private static byte[] Digest(ReadOnlySpan<byte> name, ReadOnlySpan<byte> password)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(name.Length));
        hash.AppendData(name);
        hash.AppendData(password);
        return hash.GetHashAndReset();
    }
}
