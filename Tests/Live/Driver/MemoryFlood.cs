using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// A driver in a control group with little memory, and peers on the wire that write as fast as they can and never read: to the echo service, to an exposed port whose
/// service does not read, and to an application that does not read. Nobody may be killed, whoever asks for the status has it soon, and when the peers have gone all is as before.
/// </summary>
/// <param name="Mebibytes">The group's limit.</param>
/// <param name="Echo">Connections to the echo service.</param>
/// <param name="Exposed">Connections to the exposed port.</param>
/// <param name="Application">Connections that the application makes.</param>
internal sealed record MemoryFlood(int Mebibytes, int Echo, int Exposed, int Application)
{
    private const int ExposedPort = 8081;
    private const int ServicePort = 8082;
    private const int HonestBytes = 256 << 10;

    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan HonestPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Longer than that nobody floods: what is refused is repeated, so that it may never come to rest.</summary>
    private static readonly TimeSpan LongestFlood = TimeSpan.FromSeconds(6);

    /// <summary>Of the log of a driver that has failed so much is shown.</summary>
    private const int LoggedBytes = 20_000;

    private static readonly byte[] Bytes = new byte[65536];

    /// <exception cref="Xunit.Sdk.XunitException">Something has not held.</exception>
    public async Task<MemoryFloodReport> RunAsync()
    {
        using var group = ControlGroup.Create((long)Mebibytes << 20);
        using var driver = LiveDriver.StartBy(group.Launcher, Exposed > 0 ? ["--expose", $"tcp:{ExposedPort}=127.0.0.1:{ServicePort}"] : []);
        try
        {
            return await RunAsync(group, driver);
        }
        catch (Exception e)
        {
            // Its log tells why.
            if (!driver.Program.HasEnded)
                driver.Program.Signal(TapwireProgram.SIGKILL);
            var ended = driver.Program.WaitForExit();
            throw new Xunit.Sdk.XunitException($"{e.Message}\nexit code {ended.ExitCode}, peak {group.Peak >> 20} MiB\n{ended.Error[..Math.Min(ended.Error.Length, LoggedBytes)]}", e);
        }
    }

    private async Task<MemoryFloodReport> RunAsync(ControlGroup group, LiveDriver driver)
    {
        using var listener = driver.ListenInKernel();
        using var service = Listen(driver);
        using var client = await driver.ConnectToLinkAsync();
        using var stop = new CancellationTokenSource();
        var watch = Stopwatch.StartNew();
        var status = WatchStatusAsync(driver, stop.Token);
        var holding = HoldAsync(service, stop.Token);
        var echoes = Flood(driver, LiveDriver.Echo, Echo, stop.Token);
        var exposed = Flood(driver, ExposedPort, Exposed, stop.Token);
        var sending = SendToAllAsync(listener, stop.Token);
        var (held, refused) = await OpenAsync(client, (IPEndPoint)listener.LocalEndPoint!, watch);
        await RestAsync(driver, watch);
        var flooded = watch.Elapsed;
        var honest = await HonestAsync(driver);

        Assert.False(group.HasKilled, "The kernel has killed a process of the group.");
        await stop.CancelAsync();
        foreach (var stream in held)
            await stream.DisposeAsync();
        var (slowest, asked) = await status;
        await Task.WhenAll(holding, sending, Task.WhenAll(echoes), Task.WhenAll(exposed));
        var report = new MemoryFloodReport
        {
            Echo = [.. echoes.Select(static peer => peer.Result)],
            Exposed = [.. exposed.Select(static peer => peer.Result)],
            Application = held.Count,
            ApplicationRefused = refused,
            Peak = group.Peak,
            LimitMet = group.LimitMet,
            SlowestStatus = slowest,
            Flooded = flooded,
            Honest = honest,
        };
        Assert.True(slowest < StatusPatience, $"A status took {slowest.TotalSeconds:F1} s. {report}");
        Assert.True(asked > 0, "Nobody has asked for the status.");

        await WorksAsync(driver, client, listener, service);
        var ended = driver.Program.Stop();
        Assert.True(ended.ExitCode == 0, $"It has ended with {ended.ExitCode}. {report}\n{ended.Error}");
        Assert.False(group.HasKilled, "The kernel has killed a process of the group.");
        Assert.True(ended.Error.Split('\n').Length < 2000, "The log is long.");
        return report with { Took = watch.Elapsed };
    }

    private static Socket Listen(LiveDriver driver)
    {
        var service = driver.KernelSocket();
        service.Bind(new IPEndPoint(IPAddress.Loopback, ServicePort));
        service.Listen(1024);
        return service;
    }

    /// <summary>Asks for the status all the time, each time as a program of its own would.</summary>
    /// <returns>The longest time that it has taken, and how often it was asked for.</returns>
    private static async Task<(TimeSpan Slowest, int Asked)> WatchStatusAsync(LiveDriver driver, CancellationToken cancel)
    {
        var (slowest, asked) = (TimeSpan.Zero, 0);
        while (!cancel.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            await driver.StatusAsync();
            var took = Stopwatch.GetElapsedTime(start);
            slowest = took > slowest ? took : slowest;
            asked++;
            await Task.Delay(50, CancellationToken.None);
        }

        return (slowest, asked);
    }

    /// <summary>Accepts, and reads nothing.</summary>
    private static async Task HoldAsync(Socket service, CancellationToken cancel)
    {
        var held = new List<Socket>();
        try
        {
            while (true)
                held.Add(await service.AcceptAsync(cancel));
        }
        catch (OperationCanceledException)
        {
            held.ForEach(static socket => socket.Dispose());
        }
    }

    private static List<Task<FloodPeer>> Flood(LiveDriver driver, int port, int count, CancellationToken cancel)
    {
        var sockets = driver.Namespace.Run(() => Enumerable.Range(0, count).Select(static _ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToList());
        return [.. sockets.Select(socket => Task.Run(() => FloodAsync(socket, new IPEndPoint(IPAddress.Parse(LiveDriver.Address), port), cancel), CancellationToken.None))];
    }

    private static async Task<FloodPeer> FloodAsync(Socket socket, IPEndPoint to, CancellationToken cancel)
    {
        using (socket)
        {
            // What has not left counts as sent: little of it.
            socket.SendBufferSize = 16 << 10;
            try
            {
                await socket.ConnectAsync(to, cancel);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                return default;
            }

            long sent = 0;
            try
            {
                while (true)
                    sent += await socket.SendAsync(Bytes, cancel);
            }
            catch (SocketException)
            {
                return new FloodPeer(IsIn: false, sent);
            }
            catch (OperationCanceledException)
            {
                socket.LingerState = new LingerOption(true, 0);
                return new FloodPeer(IsIn: true, sent);
            }
        }
    }

    /// <summary>Sends without end on every connection that comes.</summary>
    public static async Task SendToAllAsync(Socket listener, CancellationToken cancel)
    {
        var sending = new List<Task>();
        try
        {
            while (true)
                sending.Add(SendAsync(await listener.AcceptAsync(cancel), cancel));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(sending);
        }
    }

    private static async Task SendAsync(Socket socket, CancellationToken cancel)
    {
        using (socket)
        {
            try
            {
                while (true)
                    await socket.SendAsync(Bytes, cancel);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // It has been reset, or it is enough.
            }
        }
    }

    private async Task<(List<TapwireStream> Held, int Refused)> OpenAsync(TapwireClient client, IPEndPoint to, Stopwatch watch)
    {
        var held = new List<TapwireStream>();
        for (var i = 0; i < Application && watch.Elapsed < LongestFlood; i++)
        {
            try
            {
                held.Add(await client.ConnectTcpAsync(to).WaitAsync(Patience));
            }
            catch (SocketException)
            {
                // Refused: it shows in how many there are.
            }
        }

        return (held, Application - held.Count);
    }

    /// <summary>As much has come as will, or it has gone on for long enough.</summary>
    private static async Task RestAsync(LiveDriver driver, Stopwatch watch)
    {
        var before = -1L;
        var still = 0;
        while (still < 3 && watch.Elapsed < LongestFlood)
        {
            var received = (await driver.StatusAsync()).GetProperty("wire").GetProperty("bytesReceived").GetInt64();
            still = received - before < 1 << 20 ? still + 1 : 0;
            before = received;
            await Task.Delay(300);
        }
    }

    /// <summary>One more peer, who reads what he gets, while all others stay. Null: he has not got through in time.</summary>
    private static async Task<TimeSpan?> HonestAsync(LiveDriver driver)
    {
        var start = Stopwatch.GetTimestamp();
        using var socket = driver.KernelSocket();
        using var patience = new CancellationTokenSource(HonestPatience);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), LiveDriver.Echo), patience.Token);
            await using var stream = new NetworkStream(socket);
            var sending = stream.WriteAsync(new byte[HonestBytes], patience.Token).AsTask();
            var buffer = new byte[65536];
            for (var left = HonestBytes; left > 0;)
            {
                var count = await stream.ReadAsync(buffer, patience.Token);
                if (count == 0)
                    return null;
                left -= count;
            }

            await sending;
            return Stopwatch.GetElapsedTime(start);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Everybody has gone: what comes now gets through, in every way, both ways.</summary>
    private async Task WorksAsync(LiveDriver driver, TapwireClient client, Socket listener, Socket service)
    {
        await LiveDriver.EventuallyAsync(async () =>
        {
            try
            {
                await using var again = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!).WaitAsync(Patience);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }, () => "No connection can be made although all memory is free again.");
        await using (var echo = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
            await Transfer.EchoAsync(echo, 1 << 20);
        using var stop = new CancellationTokenSource();
        var serving = Task.WhenAll(ServeEchoAsync(listener, stop.Token), ServeEchoAsync(service, stop.Token));
        await using (var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!).WaitAsync(Patience))
            await Transfer.EchoAsync(application, 1 << 20);
        if (Exposed > 0)
        {
            await using var exposed = await driver.ConnectFromKernelAsync(ExposedPort);
            await Transfer.EchoAsync(exposed, 1 << 20);
        }

        await stop.CancelAsync();
        await serving;
    }

    /// <summary>Sends back what comes on each connection, one after the other.</summary>
    private static async Task ServeEchoAsync(Socket listener, CancellationToken cancel)
    {
        try
        {
            while (true)
            {
                await using var stream = new NetworkStream(await listener.AcceptAsync(cancel), ownsSocket: true);
                try
                {
                    await stream.CopyToAsync(stream, cancel);
                }
                catch (IOException)
                {
                    // One that was given up before.
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}

/// <summary>What has become of a peer that floods.</summary>
/// <param name="IsIn">It got in, and was not reset.</param>
/// <param name="Sent">Bytes.</param>
internal readonly record struct FloodPeer(bool IsIn, long Sent);

/// <summary>What a <see cref="MemoryFlood"/> has shown.</summary>
internal sealed record MemoryFloodReport
{
    public required IReadOnlyList<FloodPeer> Echo { get; init; }

    public required IReadOnlyList<FloodPeer> Exposed { get; init; }

    /// <summary>Connections that the application got.</summary>
    public required int Application { get; init; }

    public required int ApplicationRefused { get; init; }

    /// <inheritdoc cref="ControlGroup.Peak"/>
    public required long Peak { get; init; }

    /// <inheritdoc cref="ControlGroup.LimitMet"/>
    public required long LimitMet { get; init; }

    public required TimeSpan SlowestStatus { get; init; }

    public required TimeSpan Flooded { get; init; }

    /// <summary>256 KiB to the echo service and back, beside the flood; null: not in time.</summary>
    public required TimeSpan? Honest { get; init; }

    public TimeSpan Took { get; init; }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"peak {Peak >> 20} MiB, limit met {LimitMet}, slowest status {SlowestStatus.TotalMilliseconds:F0} ms; echo {Tell(Echo)}; exposed {Tell(Exposed)}; "
        + $"application {Application} in, {ApplicationRefused} refused; honest {(Honest is { } took ? $"{took.TotalMilliseconds:F0} ms" : "not in time")}; "
        + $"{Flooded.TotalSeconds:F1} s of {Took.TotalSeconds:F1} s");

    private static string Tell(IReadOnlyList<FloodPeer> peers)
    {
        var sent = peers.Where(static peer => peer.IsIn).Select(static peer => peer.Sent >> 10).Order().ToList();
        return sent.Count == 0 ? $"0 of {peers.Count} in" : $"{sent.Count} of {peers.Count} in, KiB each {sent[0]}/{sent[sent.Count / 2]}/{sent[^1]}";
    }
}
