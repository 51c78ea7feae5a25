using System.Security.Cryptography;
using Tapwire.Tests.Hostile;

namespace Tapwire.Tests;

/// <summary>
/// The specs' own programs: a .NET HTTP client, for what they run on Tapwire's sockets as a process of its own; and the hostile suite, for hours.
/// </summary>
internal static class Program
{
    public static async Task<int> Main(string[] arguments)
    {
        if (arguments is ["hostile", .. var rest])
            return HostileCommand.Run(rest);
        if (arguments is not ["get", var url])
            return 2;
        using var client = new HttpClient();
        await using var body = await client.GetStreamAsync(url);
        Console.WriteLine(Convert.ToHexStringLower(await SHA256.HashDataAsync(body)));
        return 0;
    }
}
