using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Tapwire.Actors.Services.Page;

/// <summary>What an operator shows the live page for itself. Whoever has it sees what <c>tapwire status</c> shows, and may capture packets.</summary>
public sealed class PageToken
{
    public const int MinLength = 16;

    public const int MaxLength = 256;

    public const string Accepted = "one line of 16 to 256 letters, digits and other ASCII characters without blanks";

    private readonly byte[] _digest;

    private PageToken(string text) => _digest = DigestOf(text);

    /// <returns>False: it is too short, too long, or cannot stand in a header field.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out PageToken? token)
    {
        token = text is { Length: >= MinLength and <= MaxLength } && text.All(static each => each is > ' ' and <= '~') ? new PageToken(text) : null;
        return token is not null;
    }

    /// <summary>A new one, of 192 random bits.</summary>
    public static string MakeText() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    /// <summary>Compares in a time that says nothing about how much of it is right.</summary>
    public bool Is(string text) => CryptographicOperations.FixedTimeEquals(_digest, DigestOf(text));

    private static byte[] DigestOf(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));
}
