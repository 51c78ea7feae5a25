using System.Security.Cryptography;
using System.Text;

namespace Tapwire.Configuration;

/// <summary>A key of this host that stays the same from start to start and says nothing about it, from machine-id(5): applications are not to show that number itself.</summary>
internal static class HostKey
{
    private const string File = "/etc/machine-id";

    /// <summary>What the key is for, so that another program's is another one.</summary>
    private static readonly byte[] Use = "tapwire: stable interface identifiers (RFC 7217)"u8.ToArray();

    /// <returns>Null: this host has no number, as some containers have none.</returns>
    public static byte[]? Read()
    {
        try
        {
            var number = System.IO.File.ReadAllText(File).Trim();
            return number.Length == 32 ? HMACSHA256.HashData(Encoding.ASCII.GetBytes(number), Use)[..Actors.DriverContext.HostKeyLength] : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
