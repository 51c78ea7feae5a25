using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary><c>tapwire run --netns --publish</c>: servers in a namespace, asked from the kernel's side of the wire.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class NetnsPublishSpec(NetnsPath path) : IClassFixture<NetnsPath>
{
    /// <summary>Says who asks, by TCP with what he has sent to its end, and by UDP.</summary>
    private const string Server = """
        import socket, sys, threading
        def tcp():
            while True:
                c, (address, port) = listener.accept()
                said = b""
                while d := c.recv(65536): said += d
                c.sendall(b"%d from %s:%d" % (len(said), address.encode(), port)); c.close()
        listener = socket.create_server(("", 80))
        threading.Thread(target=tcp, daemon=True).start()
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("", 53))
        print("ready", flush=True)
        while True:
            d, a = u.recvfrom(2000)
            u.sendto(d + b" from %s:%d" % (a[0].encode(), a[1]), a)
            u.sendto(b"again", a)
        """;

    [SkippableFact]
    public async Task A_server_is_reached_at_the_published_ports_and_sees_its_peers()
    {
        path.Need("python3");
        var server = Run(["--publish", "tcp:8080=80,udp:5353=53"], "python3", "-c", Server);
        server.WaitForLine("ready");
        for (var i = 0; i < 3; i++)
        {
            using var client = path.Driver.KernelSocket();
            await client.ConnectAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), 8080));
            await client.SendAsync(new byte[1_000_000]);
            await using var stream = new NetworkStream(client);
            var self = client.LocalEndPoint;
            client.Shutdown(SocketShutdown.Send);
            Assert.Equal($"1000000 from {self}", await new StreamReader(stream).ReadToEndAsync());
        }

        using var datagrams = path.Driver.BindInKernel();
        var to = new IPEndPoint(IPAddress.Parse(LiveDriver.Address), 5353);
        await datagrams.SendToAsync("hello"u8.ToArray(), to);
        var buffer = new byte[100];
        foreach (var expected in new[] { $"hello from {datagrams.LocalEndPoint}", "again" })
        {
            var received = await datagrams.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0)).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal((expected, to), (Encoding.ASCII.GetString(buffer, 0, received.ReceivedBytes), received.RemoteEndPoint));
        }

        var guest = (await path.Driver.StatusAsync()).GetProperty("guests").EnumerateArray().Single(each => each.GetProperty("process").GetInt32() == server.Pid);
        Assert.Equal((LiveDriver.Address, 3, 0, "tcp:8080=80, udp:5353=53"), (guest.GetProperty("address").GetString(), guest.GetProperty("accepted").GetInt32(),
            guest.GetProperty("refused").GetInt32(), string.Join(", ", guest.GetProperty("published").EnumerateArray())));
        Assert.True(guest.GetProperty("wire").GetProperty("bytesSent").GetInt64() > 3_000_000);
        var text = TapwireProgram.Run(path.Driver.Namespace, "status", "--link", path.Driver.LinkPath).Output;
        Assert.Contains($"guest        {LiveDriver.Address}, process {server.Pid}: ", text, StringComparison.Ordinal);
        Assert.Contains("             published tcp:8080=80, udp:5353=53\n", text, StringComparison.Ordinal);

        server.Stop();
        await LiveDriver.EventuallyAsync(async () =>
        {
            using var late = path.Driver.KernelSocket();
            return await ErrorOfAsync(late, 8080) == SocketError.ConnectionRefused;
        }, () => "The port stays open.");
    }

    [SkippableFact]
    public async Task A_port_where_nobody_listens_resets_and_a_port_that_is_taken_is_said()
    {
        path.Need("sleep");
        var program = Run(["--publish", "tcp:8081"], "sh", "-c", "echo ready; exec sleep 100");
        program.WaitForLine("ready");
        using var client = path.Driver.KernelSocket();
        var reset = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            await client.ConnectAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), 8081));
            await client.ReceiveAsync(new byte[1]);
        });
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        var second = Run(["--publish", "tcp:8081=1"], "true").WaitForExit();
        Assert.Equal(1, second.ExitCode);
        Assert.EndsWith("tapwire: The port of --publish tcp:8081=1 cannot listen: Address already in use.\n", second.Error, StringComparison.Ordinal);
        program.Stop();
    }

    [SkippableFact]
    public void A_driver_of_its_own_publishes_too()
    {
        path.Need("python3", "curl");
        var served = TapwireProgram.Start(path.Driver.Namespace, "run", "--netns", "--publish", "tcp:8082", "--wire", "tap:tw7", "--address", "10.96.0.2/24", "--peer-address", "10.96.0.1/24", "--",
            "python3", "-u", "-m", "http.server", "8082");
        served.WaitForLine("Serving");
        Assert.Contains("Directory listing", path.Driver.Namespace.Exec("curl", "-sS", "http://10.96.0.2:8082/"), StringComparison.Ordinal);
        served.Stop(TapwireProgram.SIGINT);
    }

    /// <summary>A guest is one shard's, and a port may be another's.</summary>
    [SkippableFact]
    public async Task With_several_shards_every_guest_has_its_ports()
    {
        path.Need("python3");
        using var driver = LiveDriver.Start("tapwire.shards = 2");
        List<TapwireProgram> servers = [];
        for (var i = 0; i < 3; i++)
        {
            servers.Add(TapwireProgram.Start(driver.Namespace, "run", "--netns", "--link", driver.LinkPath, "--publish", $"tcp:{8080 + i}=80,udp:{5050 + i}=53", "--", "python3", "-c", Server));
            servers[i].WaitForLine("ready");
        }

        for (var i = 0; i < servers.Count; i++)
        {
            for (var connection = 0; connection < 4; connection++)
            {
                await using var stream = await driver.ConnectFromKernelAsync(8080 + i);
                stream.Socket.Shutdown(SocketShutdown.Send);
                Assert.StartsWith("0 from", await new StreamReader(stream).ReadToEndAsync(), StringComparison.Ordinal);
            }

            using var datagrams = driver.BindInKernel();
            await datagrams.SendToAsync("hello"u8.ToArray(), new IPEndPoint(IPAddress.Parse(LiveDriver.Address), 5050 + i));
            var answer = await datagrams.ReceiveFromAsync(new byte[100], new IPEndPoint(IPAddress.Any, 0)).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(5050 + i, ((IPEndPoint)answer.RemoteEndPoint).Port);
        }

        servers.ForEach(static server => server.Stop());
        driver.StopCleanly();
    }

    private static async Task<SocketError> ErrorOfAsync(Socket socket, int port)
    {
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Parse(LiveDriver.Address), port));
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private TapwireProgram Run(string[] options, params string[] command) =>
        TapwireProgram.Start(path.Driver.Namespace, ["run", "--netns", "--link", path.Driver.LinkPath, .. options, "--", .. command]);
}
