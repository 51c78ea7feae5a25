using System.Runtime.Versioning;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Captures of a driver with the kernel as its peer, read by tcpdump and, where it is, by tshark.</summary>
[Collection(LiveCollection.Name)]
[SupportedOSPlatform("linux")]
public sealed partial class CaptureSpec : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-capture-");

    private string FilePath => Path.Combine(_directory.FullName, "all.pcapng");

    [SkippableTheory]
    [InlineData("on")]
    [InlineData("off")]
    public async Task A_file_from_the_start_has_every_packet_with_a_right_checksum(string offload)
    {
        using var driver = LiveDriver.Start($"tapwire.tap.offload = {offload}", "tap:tw0", "--capture", FilePath);
        await EchoAsync(driver);
        driver.Namespace.Exec("curl", "-sf", "-o", "/dev/null", $"http://{LiveDriver.Address}/");
        driver.StopCleanly();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        var text = Read(driver, FilePath);
        Assert.Contains("10.99.0.1", text, StringComparison.Ordinal);
        Assert.Matches(@"10\.99\.0\.2\.80 > 10\.99\.0\.1\.\d+: Flags \[S\.\]", text);
        Assert.Contains("HTTP/1.1 200 OK", text, StringComparison.Ordinal);
        Assert.Contains("cksum", text, StringComparison.Ordinal);
        Assert.DoesNotContain("incorrect", text, StringComparison.Ordinal);
        Assert.DoesNotContain("bad cksum", text, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task The_command_streams_to_tcpdump_and_ends_with_its_number_of_packets()
    {
        using var driver = LiveDriver.Start();
        Skip.If(driver.Namespace.TryExec("tcpdump", "--version").ExitCode != 0, "there is no tcpdump");
        var piped = Task.Run(() => driver.Namespace.TryExec("sh", "-c", $"'{TapwireProgram.Host}' exec '{TapwireProgram.Assembly}' capture tw0 --link '{driver.LinkPath}' --port 7 --count 6 | tcpdump -n -r -"));
        while (!piped.IsCompleted)
            await EchoAsync(driver);
        var result = await piped;
        Assert.Contains("6 packets captured, 0 dropped", result.Error, StringComparison.Ordinal);
        Assert.Equal(6, Lines().Count(result.Output));
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task An_interrupt_ends_it_with_a_line_as_of_tcpdump()
    {
        using var driver = LiveDriver.Start();
        var capture = TapwireProgram.Start(driver.Namespace, "capture", "-w", FilePath, "--link", driver.LinkPath, "--host", LiveDriver.KernelAddress);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(File.Exists(FilePath) && new FileInfo(FilePath).Length > 100), () => "The capture has not begun.");
        await EchoAsync(driver);
        var ended = capture.Stop(TapwireProgram.SIGINT);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Output));
        Assert.Matches("^[0-9]+ packets captured, 0 dropped\n$", ended.Error);
        Assert.Contains(" > 10.99.0.2.7: ", Read(driver, FilePath), StringComparison.Ordinal);
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_reader_that_is_killed_or_stops_reading_leaves_the_driver_as_it_was()
    {
        using var driver = LiveDriver.Start();
        await EchoAsync(driver);
        // What the runtime makes with the first capture stays.
        var first = TapwireProgram.Start(driver.Namespace, "capture", "-w", FilePath, "--count", "1", "--link", driver.LinkPath);
        while (!first.HasEnded)
            await EchoAsync(driver);
        first.WaitForExit();
        File.Delete(FilePath);
        var before = Sockets(driver);
        foreach (var signal in new[] { TapwireProgram.SIGKILL, 19 })
        {
            var capture = TapwireProgram.Start(driver.Namespace, "capture", "-w", FilePath, "--link", driver.LinkPath);
            await LiveDriver.EventuallyAsync(() => Task.FromResult(File.Exists(FilePath) && new FileInfo(FilePath).Length > 100), () => "The capture has not begun.");
            File.Delete(FilePath);
            capture.Signal(signal);
            for (var i = 0; i < 20; i++)
                await EchoAsync(driver);
            if (signal != TapwireProgram.SIGKILL)
                capture.Signal(TapwireProgram.SIGKILL);
            capture.WaitForExit();
        }

        // The runtime opens files of its own as it goes.
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Sockets(driver) <= before), () => $"The driver had {before} sockets and has {Sockets(driver)}.");
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_full_disk_costs_the_capture_and_one_line()
    {
        using var driver = LiveDriver.Start("", "tap:tw0", "--capture", "/dev/full");
        await EchoAsync(driver);
        var failed = TapwireProgram.Run(driver.Namespace, "capture", "-w", "/dev/full", "--link", driver.LinkPath);
        Assert.Equal((1, ""), (failed.ExitCode, failed.Output));
        Assert.EndsWith("tapwire: The capture cannot be written to '/dev/full': No space left on device.\n", failed.Error, StringComparison.Ordinal);
        var ended = driver.Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains("The capture to /dev/full ends, since it cannot be written: No space left on device", ended.Error, StringComparison.Ordinal);
        var refused = TapwireProgram.Run(driver.Namespace, "up", "--wire", "tap:tw0", "--address", "10.99.0.2/24", "--link", "off", "--capture", _directory.FullName);
        Assert.Equal((1, $"tapwire: The capture cannot be written to '{_directory.FullName}': Is a directory; name another file.\n"), (refused.ExitCode, refused.Error));
    }

    public void Dispose() => _directory.Delete(recursive: true);

    /// <summary>Sends more than a super-frame there and back.</summary>
    private static async Task EchoAsync(LiveDriver driver)
    {
        await using var stream = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        var sent = new byte[200_000];
        var sending = stream.WriteAsync(sent).AsTask();
        await stream.ReadExactlyAsync(new byte[sent.Length]).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        await sending;
    }

    private static int Sockets(LiveDriver driver) => Directory.EnumerateFileSystemEntries($"/proc/{driver.Program.Pid}/fd").Count(static each => new FileInfo(each).LinkTarget is { } target && target.StartsWith("socket:", StringComparison.Ordinal));

    private static string Read(LiveDriver driver, string file)
    {
        Skip.If(driver.Namespace.TryExec("tcpdump", "--version").ExitCode != 0, "there is no tcpdump");
        if (driver.Namespace.TryExec("tshark", "--version").ExitCode == 0)
        {
            var bad = driver.Namespace.Exec("tshark", "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", "tcp.checksum.status == 0 || ip.checksum.status == 0");
            Assert.Equal("", bad);
        }

        return driver.Namespace.Exec("tcpdump", "-n", "-vv", "-A", "-r", file);
    }

    [GeneratedRegex("^[0-9:.]+ IP ", RegexOptions.Multiline)]
    private static partial Regex Lines();
}
