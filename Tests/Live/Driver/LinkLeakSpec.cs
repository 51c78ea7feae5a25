using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Support;
using Tapwire.Posix;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Driver;

/// <summary>However an application's socket ends, its peer is told and the driver keeps nothing of it.</summary>
[Collection(LiveCollection.Name)]
public sealed class LinkLeakSpec(SharedDriver shared, ITestOutputHelper output) : IClassFixture<SharedDriver>
{
    private const int F_DUPFD = 0;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData("sleep 100")]
    [InlineData("exec cat <&{0} >/dev/null")]
    public async Task An_application_killed_in_mid_transfer_resets_its_connection_and_leaves_nothing(string command)
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var before = driver.Program.Descriptors;
        var (application, kernel) = await ConnectAsync(driver, client);
        await using var peer = kernel;
        using var process = HandOver(application, command);
        var sending = SendUntilItFailsAsync(kernel);
        await Task.Delay(300);
        Assert.False(sending.IsCompleted);

        process.Kill();
        Assert.Contains(await sending.WaitAsync(Patience), (SocketError[])[SocketError.ConnectionReset, SocketError.Shutdown]);
        await driver.DescriptorsAreBackAtAsync(before);
        await NoConnectionIsLeftAsync(driver);
    }

    [SkippableFact]
    public async Task An_application_that_closes_with_bytes_unread_resets_its_connection_and_leaves_nothing()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var before = driver.Program.Descriptors;
        var (application, kernel) = await ConnectAsync(driver, client);
        await using var peer = kernel;
        await kernel.WriteAsync(new byte[1000]);
        await application.ReadExactlyAsync(new byte[10]).AsTask().WaitAsync(Patience);
        await application.DisposeAsync();
        Assert.Equal(SocketError.ConnectionReset, await ErrorOfReadingAsync(kernel));
        await driver.DescriptorsAreBackAtAsync(before);
        await NoConnectionIsLeftAsync(driver);
    }

    [SkippableFact]
    public async Task A_kernel_peer_that_resets_is_ECONNRESET_in_the_application_after_what_came_before()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var before = driver.Program.Descriptors;
        var (application, kernel) = await ConnectAsync(driver, client);
        await using (application)
        {
            await kernel.WriteAsync("before"u8.ToArray());
            await application.ReadExactlyAsync(new byte[6]).AsTask().WaitAsync(Patience);
            // Not the stream's dispose, which sends a FIN before.
            kernel.Socket.LingerState = new LingerOption(true, 0);
            kernel.Socket.Dispose();
            Assert.Equal(SocketError.ConnectionReset, await ErrorOfReadingAsync(application));
        }

        await driver.DescriptorsAreBackAtAsync(before);
        await NoConnectionIsLeftAsync(driver);
    }

    [SkippableFact]
    public async Task An_application_that_closes_first_while_its_peer_keeps_sending_resets_it()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var before = driver.Program.Descriptors;
        var (application, kernel) = await ConnectAsync(driver, client);
        await using var peer = kernel;
        await application.DisposeAsync();
        Assert.Equal(0, await kernel.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
        Assert.Contains(await SendUntilItFailsAsync(kernel).WaitAsync(Patience), (SocketError[])[SocketError.ConnectionReset, SocketError.Shutdown]);
        await driver.DescriptorsAreBackAtAsync(before);
    }

    [SkippableFact]
    public async Task Sockets_that_were_never_connected_leave_nothing()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var before = driver.Program.Descriptors;
        for (var i = 0; i < 100; i++)
        {
            using var listener = await client.ListenAsync(IPEndPoint.Parse(LiveDriver.Address));
            using var datagrams = await client.OpenUdpAsync(IPEndPoint.Parse(LiveDriver.Address));
            await Assert.ThrowsAsync<SocketException>(() => client.ConnectTcpAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.KernelAddress), 1)));
        }

        await driver.DescriptorsAreBackAtAsync(before);
    }

    [SkippableFact]
    public async Task Opening_and_closing_thousands_of_times_leaves_descriptors_and_memory_as_they_were()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var inKernel = driver.ListenInKernel();
        using var inApplication = await client.ListenAsync(IPEndPoint.Parse(LiveDriver.Address));
        // A listener that has accepted a connection has the pair of the next one ready.
        var descriptors = driver.Program.Descriptors + 2;
        var cycles = LiveSize.IsFull ? 10_000 : 2_000;
        await CycleAsync(driver, client, inKernel, inApplication, cycles / 2);
        await driver.DescriptorsAreBackAtAsync(descriptors);
        var memory = driver.Program.ResidentBytes;

        var clock = Stopwatch.StartNew();
        await CycleAsync(driver, client, inKernel, inApplication, cycles);
        output.WriteLine($"{cycles} cycles in {clock.Elapsed.TotalSeconds:0.0} s; resident {memory >> 20} MiB before, {driver.Program.ResidentBytes >> 20} MiB after");
        await driver.DescriptorsAreBackAtAsync(descriptors);
        Assert.True(driver.Program.ResidentBytes - memory < 16 << 20, $"The driver had {memory >> 10} KiB and has {driver.Program.ResidentBytes >> 10} KiB.");
    }

    /// <summary>Connections out and in, in turn; the kernel closes first, so that no TIME-WAIT of the driver is counted as growth.</summary>
    private static async Task CycleAsync(LiveDriver driver, TapwireClient client, Socket inKernel, TapwireListener inApplication, int cycles)
    {
        var buffer = new byte[1];
        for (var i = 0; i < cycles / 2; i++)
        {
            await using (var application = await client.ConnectTcpAsync((IPEndPoint)inKernel.LocalEndPoint!))
            {
                using (var kernel = await inKernel.AcceptAsync().WaitAsync(Patience))
                    kernel.Send("k"u8);
                await application.ReadExactlyAsync(buffer);
                Assert.Equal(0, await application.ReadAsync(buffer).AsTask().WaitAsync(Patience));
            }

            await using var connected = await driver.ConnectFromKernelAsync(inApplication.LocalEndPoint.Port);
            await using var accepted = await inApplication.AcceptAsync().WaitAsync(Patience);
            connected.Socket.Shutdown(SocketShutdown.Send);
            Assert.Equal(0, await accepted.ReadAsync(buffer).AsTask().WaitAsync(Patience));
        }
    }

    private static async Task<(LinkedStream Application, NetworkStream Kernel)> ConnectAsync(LiveDriver driver, TapwireClient client)
    {
        using var listener = driver.ListenInKernel();
        var accepting = listener.AcceptAsync();
        var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!).WaitAsync(Patience);
        return (application, new NetworkStream(await accepting.WaitAsync(Patience), ownsSocket: true));
    }

    /// <summary>Starts a shell that inherits the connection's descriptor, by the number that stands for {0}, and closes it here: the process alone has it then.</summary>
    private static Process HandOver(LinkedStream stream, string command)
    {
        var descriptor = Errors.Check(Libc.fcntl((int)stream.Socket.Data.Handle, F_DUPFD, 10), "fcntl");
        try
        {
            var text = command.Replace("{0}", $"{descriptor}", StringComparison.Ordinal);
            return ProgramStart.Run(new ProcessStartInfo("bash", ["-c", text]));
        }
        finally
        {
            Libc.Close(descriptor);
            stream.Dispose();
        }
    }

    private static Task<SocketError> SendUntilItFailsAsync(NetworkStream to) => Task.Run(async () =>
    {
        var bytes = new byte[65536];
        try
        {
            while (true)
                await to.WriteAsync(bytes);
        }
        catch (IOException e) when (e.InnerException is SocketException error)
        {
            return error.SocketErrorCode;
        }
    });

    private static async Task<SocketError> ErrorOfReadingAsync(Stream from)
    {
        var failure = await Assert.ThrowsAsync<IOException>(() => from.ReadExactlyAsync(new byte[1 << 20]).AsTask().WaitAsync(Patience));
        return Assert.IsType<SocketException>(failure.InnerException).SocketErrorCode;
    }

    private static Task NoConnectionIsLeftAsync(LiveDriver driver)
    {
        var status = default(System.Text.Json.JsonElement);
        return LiveDriver.EventuallyAsync(
            async () =>
            {
                status = await driver.StatusAsync();
                return !status.GetProperty("connections").EnumerateArray().Any(connection => connection.GetProperty("state").GetString() is "Established" or "CloseWait" or "FinWait1" or "LastAck")
                    && status.GetProperty("link").GetProperty("sockets").GetInt32() == 0;
            },
            () => $"The driver still has: {status}");
    }
}
