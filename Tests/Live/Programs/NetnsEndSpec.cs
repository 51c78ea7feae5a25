using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>However a namespace's way out ends, its programs are told; and what they have written before they end arrives.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class NetnsEndSpec
{
    private const int Length = 5_000_000;

    private const string AwaitErrors = """
        import errno, socket, sys
        def error(call):
            try: return call()
            except OSError as e: return errno.errorcode[e.errno]
        to = (sys.argv[1], int(sys.argv[2]))
        near = socket.create_server(("127.0.0.1", 0)); inside = socket.create_connection(near.getsockname()); end, _ = near.accept()
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.connect(to)
        six = socket.socket(socket.AF_INET6); six.connect(("::ffff:" + to[0], to[1]))
        tcp = socket.create_connection(to)
        print("ready", flush=True)
        print(error(lambda: tcp.recv(1)), error(lambda: six.recv(1)), error(lambda: udp.recv(1)), error(lambda: socket.create_connection(to)))
        inside.send(b"x"); print(end.recv(1))
        """;

    private const string Told = "ready\nECONNABORTED ECONNABORTED ECONNABORTED ENETUNREACH\nb'x'\n";

    [SkippableFact]
    public void When_the_driver_is_killed_connections_of_the_program_are_aborted_and_a_line_says_so()
    {
        using var driver = Start();
        using var server = driver.ListenInKernel();
        var program = Run(driver, AwaitErrors, server);
        program.WaitForLine("ready");
        driver.Program.Signal(TapwireProgram.SIGKILL);
        var ended = program.WaitForExit();
        Assert.Equal((0, Told), (ended.ExitCode, ended.Output));
        Assert.EndsWith("tapwire: The driver has ended: \"python3\" has no network any more, and its connections are aborted.\n", ended.Error, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void When_tapwire_itself_is_killed_with_a_driver_of_its_own_they_are_aborted_too()
    {
        using var driver = Start();
        // The address of the device's kernel end comes with the device.
        using var server = driver.KernelSocket();
        server.Bind(new IPEndPoint(IPAddress.Any, 0));
        server.Listen();
        var program = TapwireProgram.Start(driver.Namespace, "run", "--netns", "--wire", "tap:tw7", "--address", "10.96.0.2/24", "--peer-address", "10.96.0.1/24", "--",
            "python3", "-c", AwaitErrors, "10.96.0.1", $"{PortOf(server)}");
        program.WaitForLine("ready");
        program.Signal(TapwireProgram.SIGKILL);
        var ended = program.WaitForExit();
        Assert.Equal((128 + TapwireProgram.SIGKILL, Told), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public async Task When_the_driver_stops_in_order_the_program_reads_the_end_and_what_it_has_written_arrives()
    {
        using var driver = Start();
        using var server = driver.ListenInKernel();
        var program = Run(driver, """
            import socket, sys
            tcp = socket.create_connection((sys.argv[1], int(sys.argv[2])))
            print("ready", flush=True)
            print(tcp.recv(1)); tcp.send(b"last words"); tcp.close()
            """, server);
        program.WaitForLine("ready");
        using var accepted = await server.AcceptAsync();
        driver.Program.Signal(TapwireProgram.SIGTERM);
        Assert.Equal("last words", await new StreamReader(new NetworkStream(accepted)).ReadToEndAsync());
        var ended = program.WaitForExit();
        Assert.Equal((0, "ready\nb''\n"), (ended.ExitCode, ended.Output));
        Assert.Equal(0, driver.Program.WaitForExit().ExitCode);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_program_has_written_when_it_ends_arrives(bool isSlow)
    {
        using var driver = Start();
        using var server = driver.ListenInKernel();
        var program = Run(driver, $"""
            import socket, sys
            tcp = socket.create_connection((sys.argv[1], int(sys.argv[2])))
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, {2 * Length})
            tcp.sendall(b"x" * {Length})
            """, server);
        using var accepted = await server.AcceptAsync();
        var buffer = new byte[1 << 16];
        if (isSlow)
            Assert.Equal(0, program.WaitForExit().ExitCode);
        var read = 0;
        while (await accepted.ReceiveAsync(buffer) is > 0 and var count)
            read += count;
        Assert.Equal(Length, read);
        Assert.Equal(0, program.WaitForExit().ExitCode);
    }

    private static LiveDriver Start()
    {
        var driver = LiveDriver.Start();
        if (driver.Namespace.TryExec("python3", "--version").ExitCode == 0)
            return driver;
        driver.Dispose();
        throw new SkipException("there is no python3");
    }

    private static TapwireProgram Run(LiveDriver driver, string script, Socket server) => TapwireProgram.Start(driver.Namespace, "run", "--netns", "--link", driver.LinkPath, "--",
        "python3", "-c", script, LiveDriver.KernelAddress, $"{PortOf(server)}");

    private static int PortOf(Socket server) => ((IPEndPoint)server.LocalEndPoint!).Port;
}
