using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Start, rest, stop and death of the driver, and of its device.</summary>
[Collection(LiveCollection.Name)]
public sealed partial class LifecycleSpec(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(TapwireProgram.SIGTERM, 0)]
    [InlineData(TapwireProgram.SIGINT, 130)]
    public async Task Stopped_in_order_everybody_sees_the_end_and_a_second_start_works(int signal, int exitCode)
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(IPEndPoint.Parse(LiveDriver.Address));
        var kernel = await driver.ConnectFromKernelAsync(listener.LocalEndPoint.Port);
        var application = await listener.AcceptAsync().WaitAsync(Patience);
        var service = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        await service.WriteAsync("x"u8.ToArray());
        Assert.Equal('x', service.ReadByte());
        await application.WriteAsync("last words"u8.ToArray());

        var ended = driver.Program.Stop(signal);
        Assert.Equal(exitCode, ended.ExitCode);
        LiveDriver.AssertQuiet(ended.Error);
        Assert.Equal("last words".Length, (await Transfer.ReceiveToEndAsync(kernel, 10)).Bytes);
        Assert.Equal(0, (await Transfer.ReceiveToEndAsync(application, 0)).Bytes);
        Assert.Equal(0, (await Transfer.ReceiveToEndAsync(service, 0)).Bytes);
        await Assert.ThrowsAnyAsync<SocketException>(() => listener.AcceptAsync().WaitAsync(Patience));
        Assert.False(File.Exists(driver.LinkPath));
        Assert.DoesNotContain(LiveDriver.Device, driver.Namespace.Ip("link"), StringComparison.Ordinal);

        driver.Restart();
        await using (var again = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
            await Transfer.EchoAsync(again, 100_000);
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task The_command_returns_when_the_driver_has_stopped_and_the_log_says_what_has_become_of_connections()
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        await using var writing = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
        // The kernel's program does not read: what it has not taken when time is up is lost, and told.
        var most = new byte[1 << 20];
        using (var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            {
                while (true)
                    await writing.WriteAsync(most, enough.Token);
            });

        var refused = TapwireProgram.Run(driver.Namespace, "stop", "--link", driver.LinkPath, "--timeout", "1ms");
        Assert.Equal(1, refused.ExitCode);
        Assert.Equal($"tapwire: The driver, process id {driver.Program.Pid}, is stopping, and has not ended within 1ms; its connections may take tapwire.shutdown-timeout. Wait longer with --timeout, or see its log.\n", refused.Error);
        var ended = driver.Program.WaitForExit();
        Assert.Equal(0, ended.ExitCode);
        Assert.Matches(@" INF The stack has stopped: 0 connections ended in order, 1 were reset, with [1-9][0-9]* bytes that their peers had not acknowledged", ended.Error);

        driver.Restart();
        var stopped = TapwireProgram.Run(driver.Namespace, "stop", "--link", driver.LinkPath);
        Assert.Equal((0, "", ""), (stopped.ExitCode, stopped.Output, stopped.Error));
        Assert.False(File.Exists(driver.LinkPath));
        Assert.Contains(" INF The stack has stopped: 0 connections ended in order, 0 were reset", driver.Program.WaitForExit().Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Killed_it_leaves_no_application_hanging_and_a_second_start_takes_the_same_link_path()
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        await using var reading = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
        await using var writing = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
        using var applications = await client.ListenAsync(IPEndPoint.Parse(LiveDriver.Address));
        using var datagrams = await client.OpenUdpAsync(IPEndPoint.Parse(LiveDriver.Address));
        var read = EndOfAsync(async () => await reading.ReadAsync(new byte[100]));
        var written = EndOfAsync(async () =>
        {
            await writing.WriteAsync(new byte[64 << 20]); // more than all buffers on the way hold
            return 1;
        });
        var accepted = EndOfAsync(async () => (await applications.AcceptAsync()).LocalEndPoint.Port);
        var received = EndOfAsync(async () => (await datagrams.ReceiveFromAsync(new byte[100])).ReceivedBytes);
        var asked = EndOfAsync(async () => (await client.PingAsync(IPAddress.Parse("10.99.0.77"), 1, 10, TimeSpan.FromMinutes(1))).HopLimit);
        await Task.Delay(100);
        driver.Program.Signal(TapwireProgram.SIGKILL);
        Assert.Equal(128 + TapwireProgram.SIGKILL, driver.Program.WaitForExit().ExitCode);
        await Task.WhenAll(read, written, accepted, received, asked).WaitAsync(Patience);

        driver.Restart();
        using (var again = await driver.ConnectToLinkAsync())
        await using (var stream = await again.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), LiveDriver.Echo)))
            await Transfer.EchoAsync(stream, 100_000);
        driver.StopCleanly();
    }

    [SkippableFact]
    public void An_idle_driver_uses_no_processor_and_yet_answers_at_once()
    {
        using var driver = LiveDriver.Start();
        driver.Namespace.Exec("ping", "-c", "20", "-i", "0.01", "-W", "10", LiveDriver.Address);
        Thread.Sleep(2000); // the runtime compiles in the background what has become hot

        // What is done every few seconds is compiled in its first half minute, and on a slow machine all of that takes longer: one quiet stretch of many is asked for.
        // A driver that is not idle has none.
        var seconds = LiveSize.IsFull ? 30 : 5;
        var allowed = TimeSpan.FromSeconds(0.005 * seconds);
        var used = TimeSpan.MaxValue;
        for (var stretch = 0; stretch < 16 && used >= allowed; stretch++)
        {
            var before = driver.Program.ProcessorTime;
            Thread.Sleep(seconds * 1000);
            used = driver.Program.ProcessorTime - before;
        }

        var report = driver.Namespace.Exec("ping", "-c", "10", "-i", "0.05", "-W", "10", LiveDriver.Address);
        var times = RoundTrip().Matches(report).Select(match => double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).Order().ToList();
        output.WriteLine($"idle: {used.TotalMilliseconds} ms of processor time in {seconds} s, {driver.Program.ResidentBytes >> 20} MiB resident, "
            + $"{driver.Program.Descriptors} descriptors; then ping {times[0]} to {times[^1]} ms");
        Assert.True(used < allowed, $"{used.TotalMilliseconds} ms of processor time in {seconds} s.");
        Assert.True(times[0] < 1, $"The quickest answer took {times[0]} ms.");
        driver.StopCleanly();
    }

    [SkippableFact]
    public async Task A_device_that_vanishes_is_made_again_and_connections_survive_it()
    {
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        var accepting = listener.AcceptAsync();
        await using var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
        await using var kernel = new NetworkStream(await accepting.WaitAsync(Patience), ownsSocket: true);
        await ExchangeAsync(application, kernel);

        await LoseDeviceAsync(driver);
        await ExchangeAsync(application, kernel);
        driver.Namespace.Exec("ping", "-c", "1", "-W", "10", LiveDriver.Address);

        var ended = driver.Program.Stop();
        Assert.Equal(0, ended.ExitCode);
        Assert.Contains(" WRN Wire tw0 failed: ", ended.Error, StringComparison.Ordinal);
    }

    /// <summary>Each line once, in this order.</summary>
    [SkippableFact]
    public async Task Every_event_of_a_drivers_life_is_one_line_of_the_log()
    {
        using var driver = LiveDriver.Start();
        await driver.Program.WaitForErrorAsync(" The driver is up: ");
        foreach (var change in (string[])["add", "remove"])
            Assert.Equal(0, TapwireProgram.Run(driver.Namespace, "address", change, "10.99.0.9/24", "--link", driver.LinkPath).ExitCode);
        await LoseDeviceAsync(driver);
        string[] life =
        [
            $" INF Wire {LiveDriver.Device} is up: ", $" INF The driver is up: {LiveDriver.Address}/24 on tap:{LiveDriver.Device} ", $" INF By a command: address 10.99.0.9/24 added to {LiveDriver.Device} ",
            $" INF By a command: address 10.99.0.9 removed from {LiveDriver.Device} ", $" WRN Wire {LiveDriver.Device} failed: ", $" INF Wire {LiveDriver.Device} is up: ",
            " INF The stack has stopped: 0 connections ended in order, 0 were reset, ",
        ];
        var ended = driver.Program.Stop();
        var told = ended.Error.Split('\n').Select(line => (Line: line, Event: life.FirstOrDefault(each => line.Contains(each, StringComparison.Ordinal)))).Where(static each => each.Event is not null).ToList();
        Assert.True(life.SequenceEqual(told.Select(static each => each.Event!)), ended.Error);
    }

    [SkippableTheory]
    [InlineData("tap")]
    [InlineData("tun")]
    public async Task The_kernels_end_has_its_address_again_after_the_device_was_made_again(string kind)
    {
        using var network = NetworkNamespace.Create();
        var program = TapwireProgram.Start(network, "up", "--wire", $"{kind}:{LiveDriver.Device}", "--address", $"{LiveDriver.Address}/24",
            "--peer-address", $"{LiveDriver.KernelAddress}/24", "--link", "off", "--serve", $"echo:{LiveDriver.Echo}");
        program.WaitForLine("tapwire is up");
        await ReachAsync(network);
        network.Ip($"link del {LiveDriver.Device}");
        await LiveDriver.EventuallyAsync(
            () => Task.FromResult(network.TryExec("ip", "addr", "show", "dev", LiveDriver.Device).Output.Contains($" {LiveDriver.KernelAddress}/24 ", StringComparison.Ordinal)),
            () => "The device has not got its address again.");
        await ReachAsync(network);
        Assert.Equal(0, program.Stop().ExitCode);
    }

    private static async Task ReachAsync(NetworkNamespace network)
    {
        using var socket = network.OpenSocket();
        await socket.ConnectAsync(IPAddress.Parse(LiveDriver.Address), LiveDriver.Echo).WaitAsync(Patience);
        await using var connection = new NetworkStream(socket);
        await Transfer.EchoAsync(connection, 1000);
    }

    [SkippableFact]
    public async Task A_device_that_vanishes_in_mid_transfer_costs_no_byte()
    {
        using var driver = LiveDriver.Start();
        await using var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
        var bytes = LiveSize.Bulk / 2;
        var half = new byte[bytes / 2];
        var sending = Transfer.SendToEndAsync(connection, bytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await connection.ReadExactlyAsync(half).AsTask().WaitAsync(Patience);
        hash.AppendData(half);

        // With half of it still to come, the windows are full of it.
        await LoseDeviceAsync(driver);
        await connection.ReadExactlyAsync(half).AsTask().WaitAsync(LiveSize.PatienceFor(bytes));
        hash.AppendData(half);
        Assert.Equal(0, await connection.ReadAsync(half).AsTask().WaitAsync(Patience));
        Assert.Equal(new Sum(bytes, Convert.ToHexString(hash.GetHashAndReset())), await sending);
        driver.Program.Stop();
    }

    [SkippableFact]
    public async Task Stopped_in_mid_transfer_nobody_is_left_hanging()
    {
        string[] names = ["source's reader", "echo's reader", "echo's writer", "application's writer", "application's reader"];
        using var driver = LiveDriver.Start();
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        var ends = new List<Task>();
        for (var i = 0; i < 10; i++)
        {
            var source = await driver.ConnectFromKernelAsync(LiveDriver.Source);
            var echo = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
            var accepting = listener.AcceptAsync();
            var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
            var kernel = new NetworkStream(await accepting.WaitAsync(Patience), ownsSocket: true);
            ends.Add(EndOfAsync(() => ReadAsync(source)));
            ends.Add(EndOfAsync(() => ReadAsync(echo)));
            ends.Add(EndOfAsync(() => WriteAsync(echo)));
            ends.Add(EndOfAsync(() => WriteAsync(application)));
            ends.Add(EndOfAsync(() => ReadAsync(kernel)));
        }

        await Task.Delay(200);
        Assert.DoesNotContain(ends, static end => end.IsCompleted);
        driver.StopCleanly();
        await Task.WhenAny(Task.WhenAll(ends), Task.Delay(Patience));
        var left = ends.Select((end, index) => (end, index)).Where(static task => !task.end.IsCompleted);
        Assert.True(ends.TrueForAll(static end => end.IsCompleted), $"Left hanging: {string.Join(", ", left.Select(task => names[task.index % names.Length]))}.");
        await Task.WhenAll(ends);
    }

    private static Task<int> ReadAsync(Stream from) => Task.Run(async () =>
    {
        var buffer = new byte[65536];
        while (await from.ReadAsync(buffer) > 0)
        {
        }

        return 0;
    });

    /// <summary>Ends only by a failure.</summary>
    private static Task<int> WriteAsync(Stream to) => Task.Run<int>(async () =>
    {
        var buffer = new byte[65536];
        while (true)
            await to.WriteAsync(buffer);
    });

    /// <summary>Deletes the device and waits until the driver has made it again, and the kernel has its address back.</summary>
    private static async Task LoseDeviceAsync(LiveDriver driver)
    {
        driver.Namespace.Ip($"link del {LiveDriver.Device}");
        await LiveDriver.EventuallyAsync(
            () => Task.FromResult(driver.Namespace.TryExec("ip", "addr", "add", $"{LiveDriver.KernelAddress}/24", "dev", LiveDriver.Device).ExitCode == 0),
            () => "The driver has not made its device again.");
    }

    private static async Task ExchangeAsync(TapwireStream application, NetworkStream kernel)
    {
        var buffer = new byte[1];
        await application.WriteAsync("a"u8.ToArray());
        await kernel.ReadExactlyAsync(buffer).AsTask().WaitAsync(Patience);
        Assert.Equal((byte)'a', buffer[0]);
        await kernel.WriteAsync("k"u8.ToArray());
        await application.ReadExactlyAsync(buffer).AsTask().WaitAsync(Patience);
        Assert.Equal((byte)'k', buffer[0]);
    }

    /// <summary>Ends when the action has: with end of file, or because the other end is gone. Anything else is passed on.</summary>
    private static async Task EndOfAsync(Func<Task<int>> action)
    {
        try
        {
            Assert.Equal(0, await action());
        }
        catch (Exception e) when (IsGone(e) || IsGone(e.InnerException))
        {
            // The descriptor, or the request under way, has told it.
        }
    }

    private static bool IsGone(Exception? e) =>
        e is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown or SocketError.NetworkDown };

    [GeneratedRegex(@"time=([\d.]+) ms")]
    private static partial Regex RoundTrip();
}
