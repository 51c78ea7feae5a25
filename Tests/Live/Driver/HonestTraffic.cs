using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Programs;
using Tapwire.Tests.Live.Proxy;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// A driver with all that can be used of it, and transfers each way through each part of it at once, whose bytes are compared: the stack's own service, an application of the client
/// library that connects and one that listens, a program that nobody here wrote on the intercepted sockets, an exposed port, a SOCKS proxy, and datagrams. Ended by its user, who
/// looks at its log.
/// </summary>
public sealed class HonestTraffic : IDisposable
{
    private const int Length = 200_000;
    private const int Socks = 1080;
    private const int Exposed = 8081;
    private const int HostService = 8082;
    private const int NetworkService = 9000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan DatagramPatience = TimeSpan.FromMilliseconds(200);
    private static readonly IPEndPoint Service = new(IPAddress.Parse(LiveDriver.KernelAddress), NetworkService);

    private readonly List<Socket> _serving = [];
    private LiveDriver? _driver;
    private string? _interpreter;

    internal LiveDriver Driver => _driver ??= Start([]);

    /// <summary>Starts it by another program, as <see cref="LiveDriver.StartBy"/> does.</summary>
    internal static HonestTraffic StartBy(params string[] launcher)
    {
        var traffic = new HonestTraffic();
        traffic._driver = traffic.Start(launcher);
        return traffic;
    }

    /// <summary>There was a C compiler, and there is Python.</summary>
    internal bool HasProgram => File.Exists(Library) && Interpreter.Length > 0;

    /// <summary>The arguments of env(1) by which the program runs on the kernel's sockets.</summary>
    internal string[] ProgramOnKernel => [Interpreter, ProgramPath.SourceOf("echo_client.py"), LiveDriver.KernelAddress, $"{NetworkService}", $"{Length}"];

    /// <summary>By which it runs on Tapwire's.</summary>
    internal string[] ProgramOnTapwire => [$"LD_PRELOAD={Library}", $"TAPWIRE_LINK={Driver.LinkPath}", .. ProgramOnKernel];

    /// <summary>
    /// The interpreter itself, or empty where there is none: what is named python3 may be a shell's script that looks for it,
    /// and a shell makes sockets of its own where SHELL is not set.
    /// </summary>
    private string Interpreter => _interpreter ??= Driver.Namespace.TryExec("python3", "-c", "import sys; print(sys.executable)") is { ExitCode: 0 } found
        ? found.Output.Trim()
        : "";

    private static string Library => Path.Combine(AppContext.BaseDirectory, "libtapwire.so");

    /// <summary>All at once; each must end, and with the bytes that were sent.</summary>
    public Task RunAsync() => Task.WhenAll(Flows(Patience));

    /// <summary>All at once, while some may be refused or broken off, as sockets of the kernel's would be: by an error, and soon.</summary>
    /// <returns>How many were.</returns>
    public async Task<int> TryAsync()
    {
        var failed = 0;
        await Task.WhenAll(Flows(TimeSpan.FromSeconds(2)).Select(async flow =>
        {
            try
            {
                await flow;
            }
            catch (Exception e) when (e is SocketException or IOException or ProgramFailedException)
            {
                Interlocked.Increment(ref failed);
            }
        }));
        return failed;
    }

    /// <summary>The driver lives, and <c>tapwire status</c> says so.</summary>
    public void AssertAnswers()
    {
        var status = TapwireProgram.Run(Driver.Namespace, "status", "--link", Driver.LinkPath);
        Assert.Equal((0, ""), (status.ExitCode, status.Error));
    }

    /// <summary>Stops the driver: it ends well, has met nothing that it does not know, and has kept no socket.</summary>
    public void Dispose()
    {
        if (_driver is null)
            return;
        using var driver = _driver;
        var ended = driver.Program.Stop();
        _serving.ForEach(static socket => socket.Dispose());
        Assert.Equal(0, ended.ExitCode);
        foreach (var fault in (string[])[" ERR ", "Unhandled", "   at Tapwire.", "Exception"])
            Assert.DoesNotContain(fault, ended.Error, StringComparison.Ordinal);
    }

    private LiveDriver Start(string[] launcher)
    {
        var driver = LiveDriver.StartBy(launcher, "--socks", $"127.0.0.1:{Socks}", "--expose", $"tcp:{Exposed}=127.0.0.1:{HostService},udp:{Exposed}=127.0.0.1:{HostService}");
        ServeEcho(driver, Service);
        ServeEcho(driver, new IPEndPoint(IPAddress.Loopback, HostService));
        return driver;
    }

    /// <param name="datagrams">How long each datagram may take.</param>
    private Task[] Flows(TimeSpan datagrams) =>
    [
        ServiceAsync(LiveDriver.Echo), ServiceAsync(Exposed), ConnectingApplicationAsync(), ListeningApplicationAsync(), ProgramAsync(), SocksAsync(), DatagramsAsync(datagrams),
    ];

    /// <summary>An end before the last byte is the driver's fault only where nothing was to be broken off.</summary>
    private static async Task EchoAsync(Stream stream)
    {
        var sending = Transfer.SendToEndAsync(stream, Length);
        var receiving = Transfer.ReceiveToEndAsync(stream, Length);
        var (sent, received) = (await sending, await receiving);
        if (received.Bytes < sent.Bytes)
            throw new IOException($"{received.Bytes} bytes have come back of {sent.Bytes}.");
        Assert.Equal(sent, received);
    }

    private async Task ServiceAsync(int port)
    {
        await using var stream = await Driver.ConnectFromKernelAsync(port);
        await EchoAsync(stream);
    }

    private async Task ConnectingApplicationAsync()
    {
        using var client = await Driver.ConnectToLinkAsync();
        await using var stream = await client.ConnectTcpAsync(Service).WaitAsync(Patience);
        await EchoAsync(stream);
    }

    private async Task ListeningApplicationAsync()
    {
        using var client = await Driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(new IPEndPoint(IPAddress.Any, 0)).WaitAsync(Patience);
        await using var stream = await Driver.ConnectFromKernelAsync(listener.LocalEndPoint.Port);
        var serving = ServeAsync(listener);
        await EchoAsync(stream);
        await serving.WaitAsync(Patience);
    }

    private static async Task ServeAsync(TapwireListener listener)
    {
        await using var accepted = await listener.AcceptAsync();
        await accepted.CopyToAsync(accepted);
        accepted.Shutdown(SocketShutdown.Send);
    }

    private async Task SocksAsync()
    {
        var socket = Driver.KernelSocket();
        await socket.ConnectAsync(IPAddress.Loopback, Socks).WaitAsync(Patience);
        await using var stream = new NetworkStream(socket, ownsSocket: true);
        var code = (await SocksClient.AskAsync(stream, 1, Service)).Code;
        if (code != 0)
            throw new IOException($"The proxy has answered {code}.");
        await EchoAsync(stream);
    }

    /// <summary>From the wire to a service of the host and back. What is lost on the way is sent again, as datagrams want it.</summary>
    private async Task DatagramsAsync(TimeSpan patience)
    {
        using var socket = Driver.BindInKernel();
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), Exposed));
        var random = new Random(1);
        var answer = new byte[2000];
        for (var i = 0; i < 10; i++)
        {
            var datagram = new byte[random.Next(1, 1400)];
            random.NextBytes(datagram);
            var begin = Stopwatch.StartNew();
            do
            {
                if (begin.Elapsed > patience)
                    throw new IOException($"Datagram {i} has not come back in {patience.TotalSeconds} s.");
                await socket.SendAsync(datagram);
            }
            while (!await IsAnsweredAsync(socket, datagram, answer));
        }
    }

    private static async Task<bool> IsAnsweredAsync(Socket socket, byte[] datagram, byte[] answer)
    {
        using var limit = new CancellationTokenSource(DatagramPatience);
        try
        {
            while (!answer.AsSpan(0, await socket.ReceiveAsync(answer, limit.Token)).SequenceEqual(datagram))
            {
                // That of an earlier one, which was sent again meanwhile.
            }

            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task ProgramAsync()
    {
        if (!HasProgram)
            return;
        using var process = Driver.Namespace.Start("env", ProgramOnTapwire);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(Patience);
        if (process.ExitCode != 0)
            throw new ProgramFailedException($"exit code {process.ExitCode}: {await error}");
        Assert.Equal("intact\n", await output);
    }

    /// <summary>Sends back what comes, by TCP and by UDP, whatever becomes of single connections.</summary>
    private void ServeEcho(LiveDriver driver, IPEndPoint local)
    {
        var listener = driver.KernelSocket();
        listener.Bind(local);
        listener.Listen(128);
        _serving.Add(listener);
        _ = WhileOpenAsync(async () =>
        {
            var accepted = await listener.AcceptAsync();
            _ = Task.Run(() => WhileOpenAsync(async () =>
            {
                await using var stream = new NetworkStream(accepted, ownsSocket: true);
                await stream.CopyToAsync(stream);
                accepted.Shutdown(SocketShutdown.Send);
                throw new ObjectDisposedException("done");
            }));
        });

        var datagrams = driver.KernelSocket(SocketType.Dgram);
        datagrams.Bind(local);
        _serving.Add(datagrams);
        var buffer = new byte[2000];
        _ = WhileOpenAsync(async () =>
        {
            var received = await datagrams.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
            await datagrams.SendToAsync(buffer.AsMemory(0, received.ReceivedBytes), received.RemoteEndPoint);
        });
    }

    private static async Task WhileOpenAsync(Func<Task> serve)
    {
        try
        {
            while (true)
                await serve();
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // Broken off, or the spec is over.
        }
    }

    private sealed class ProgramFailedException(string message) : Exception(message);
}
