using System.Runtime.Versioning;
using System.Text.Json;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>The live page in a real browser, chromium, at the kernel's end of the wire: by keyboard, in light and dark, with the rules of axe-core.</summary>
[Collection(LiveCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed class PageSpec : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-page-");

    private string TokenPath => Path.Combine(_directory.FullName, "token");

    [SkippableFact]
    public async Task Chromium_shows_sorts_filters_and_captures_for_whoever_has_the_token()
    {
        Skip.If(Environment.GetEnvironmentVariable("TAPWIRE_BROWSER") is not { } modules || !Directory.Exists(Path.Combine(modules, "node_modules", "playwright-core")),
            "TAPWIRE_BROWSER names no directory with playwright-core and axe-core: npm install --prefix DIRECTORY playwright-core axe-core");
        Skip.IfNot(File.Exists(Environment.GetEnvironmentVariable("TAPWIRE_CHROMIUM") ?? "/usr/bin/chromium"), "there is no chromium");
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", "--http-token", TokenPath);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(TokenPath));
        var token = File.ReadAllText(TokenPath).Trim();

        await using var echo = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        var port = ((System.Net.IPEndPoint)echo.Socket.LocalEndPoint!).Port;
        using var ending = new CancellationTokenSource();
        var talking = TalkAsync(echo, ending.Token);
        var run = await Task.Run(() => driver.Namespace.TryExec("node", Path.Combine(AppContext.BaseDirectory, "Live", "Driver", "page.mjs"), $"http://{LiveDriver.Address}/", token, $"{port}", _directory.FullName));
        await ending.CancelAsync();
        await talking;
        Keep();
        Assert.True(run.ExitCode == 0, run.Error + run.Output);

        var seen = JsonDocument.Parse(run.Output).RootElement;
        Assert.Empty(Texts(seen.GetProperty("complaints")));
        // Nothing that is serious, and nothing else.
        Assert.Empty(seen.GetProperty("axe").EnumerateObject().SelectMany(static each => Texts(each.Value).Select(text => $"{each.Name}: {text}")));
        Assert.StartsWith("10.99.0.2/24; up 00:00:", seen.GetProperty("summary").GetString(), StringComparison.Ordinal);
        Assert.False(seen.GetProperty("publicTable").GetBoolean());
        Assert.False(seen.GetProperty("publicCapture").GetBoolean());
        Assert.Equal(401, seen.GetProperty("refusedStart").GetInt32());
        Assert.Equal("That is not the driver's token.", seen.GetProperty("refusal").GetString());

        Assert.True(seen.GetProperty("all").GetInt32() > 4);
        Assert.Equal("filter", seen.GetProperty("focused").GetString());
        var row = Assert.Single(Texts(seen.GetProperty("row")));
        Assert.Contains($"10.99.0.1:{port}", row, StringComparison.Ordinal);
        Assert.Contains("service echo", row, StringComparison.Ordinal);
        Assert.Contains("ESTAB", row, StringComparison.Ordinal);
        Assert.StartsWith("Limited by application.", seen.GetProperty("cause").GetString(), StringComparison.Ordinal);
        Assert.True(seen.GetProperty("stillFocused").GetBoolean());
        Assert.Equal(["Process ascending"], Texts(seen.GetProperty("sorted")));
        Assert.NotEqual(seen.GetProperty("light").GetString(), seen.GetProperty("dark").GetString());
        Assert.InRange(seen.GetProperty("narrow").GetInt32(), 1, 400);

        var packets = PcapngFile.Read(File.ReadAllBytes(Path.Combine(_directory.FullName, seen.GetProperty("file").GetString()!))).Packets;
        Assert.Contains(packets, static packet => packet.Data.AsSpan().IndexOf("hello"u8) > 0);
        Assert.DoesNotContain(packets, static packet => packet.Data.AsSpan().IndexOf("Bearer"u8) > 0);
        var ended = driver.Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains(" WRN Refused 10.99.0.1:", ended.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(token, ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_file_that_others_may_read_is_no_token()
    {
        using var network = NetworkNamespace.Create();
        File.WriteAllText(TokenPath, "0123456789abcdef\n");
        File.SetUnixFileMode(TokenPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        Assert.Equal($"tapwire: The page's token in '{TokenPath}' can be read by others; 'chmod 600' it, and better have a new one.\n", Up(network).Error);
        File.SetUnixFileMode(TokenPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(TokenPath, "short\n");
        Assert.StartsWith($"tapwire: '{TokenPath}' has no token for the page; it must be one line of 16 to 256 ", Up(network).Error, StringComparison.Ordinal);
        File.Delete(TokenPath);
        _directory.CreateSubdirectory("token");
        Assert.StartsWith($"tapwire: The page's token cannot be read from or written to '{TokenPath}': ", Up(network).Error, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Delete(recursive: true);

    private CommandResult Up(NetworkNamespace network)
    {
        var ended = TapwireProgram.Run(network, "up", "--wire", "tap:tw0", "--address", "10.99.0.2/24", "--link", "off", "--serve", "http:80", "--http-token", TokenPath);
        Assert.Equal(1, ended.ExitCode);
        return ended;
    }

    private static async Task TalkAsync(Stream echo, CancellationToken cancel)
    {
        try
        {
            var answer = new byte[5];
            while (true)
            {
                await echo.WriteAsync("hello"u8.ToArray(), cancel);
                await echo.ReadExactlyAsync(answer, cancel);
                await Task.Delay(50, cancel);
            }
        }
        catch (OperationCanceledException)
        {
            // It is enough.
        }
    }

    /// <summary>Keeps the pictures where somebody wants to look at them.</summary>
    private void Keep()
    {
        if (Environment.GetEnvironmentVariable("TAPWIRE_PICTURES") is not { Length: > 0 } place)
            return;
        Directory.CreateDirectory(place);
        foreach (var picture in _directory.EnumerateFiles("*.png"))
            picture.CopyTo(Path.Combine(place, picture.Name), overwrite: true);
    }

    private static IEnumerable<string> Texts(JsonElement array) => array.EnumerateArray().Select(static each => each.GetString()!);
}
