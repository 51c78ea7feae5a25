using System.Security.Cryptography;

namespace Tapwire.Tests;

/// <summary>The specs' own programs, for what they run on Tapwire's sockets as a process of its own: a .NET HTTP client.</summary>
internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        if (arguments is not ["get", var url])
            return 2;
        using var client = new HttpClient();
        await using var body = await client.GetStreamAsync(url);
        Console.WriteLine(Convert.ToHexStringLower(await SHA256.HashDataAsync(body)));
        return 0;
    }
}
