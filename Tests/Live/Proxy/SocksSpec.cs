using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;
using static Tapwire.Tests.Live.Proxy.ProxiedDriver;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>SOCKS5 and HTTP CONNECT, with curl, ssh and a client of our own.</summary>
public abstract class SocksSpecs(ProxiedDriver shared)
{
    private const int Port = 80;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData("", "-x", "socks5://127.0.0.1:1080")]
    [InlineData("", "--socks5-hostname", "127.0.0.1:1080")]
    [InlineData(ProxiedDriver.Name, "--socks5-hostname", "127.0.0.1:1080")]
    [InlineData("", "-p", "-x", "http://127.0.0.1:1080")]
    [InlineData(ProxiedDriver.Name, "-p", "-x", "http://127.0.0.1:1080")]
    public void Curl_gets_a_page_by_address_and_by_name(string host, params string[] proxy)
    {
        host = host.Length > 0 ? host : PeerHost;
        using var server = new Server(shared.Driver, shared.FarEnd(Port), Server.Http(1_000_000));
        Assert.Equal("200 1000000", Curl("200 1000000", [.. proxy, $"http://{host}:{Port}/"]));
    }

    [SkippableFact]
    public void Curl_learns_why_there_is_no_page()
    {
        Need(shared.Driver.Namespace, "curl");
        // CURLE_PROXY (libcurl-errors(3)), and the reply code in the text.
        var refused = shared.Driver.Namespace.TryExec("curl", "-sS", "--max-time", "30", "-x", "socks5://127.0.0.1:1080", $"http://{PeerHost}:81/");
        Assert.Equal(97, refused.ExitCode);
        Assert.Contains("(5)", refused.Error, StringComparison.Ordinal);
        Assert.Equal("502", Curl("502", "-p", "-x", "http://127.0.0.1:1080", "-w", "%{http_connect}", $"http://{PeerHost}:81/"));
        Assert.Equal("405", Curl("405", "-x", "http://127.0.0.1:1080", "-w", "%{http_code}", $"http://{PeerHost}:81/"));
    }

    [SkippableTheory]
    [InlineData("10.99.0.1", 81, 5)]
    [InlineData("192.0.2.1", 80, 3)]
    [InlineData("10.99.0.77", 80, 4)]
    [InlineData("fd00::1", 80, 3)]
    [InlineData("nobody.invalid", 80, 4)]
    [InlineData("fd00:99::1", 81, 5, true)]
    [InlineData("2001:db8::1", 80, 3, true)]
    [InlineData("fd00:99::77", 80, 4, true)]
    public async Task The_reply_code_is_true(string host, int port, byte code, bool needsV6 = false)
    {
        if (needsV6 && shared.Driver.Family == AddressFamily.InterNetwork)
            return; // there the driver has no address of it
        await using var client = await shared.ConnectAsync(Socks);
        EndPoint destination = IPAddress.TryParse(host, out var address) ? new IPEndPoint(address, port) : new DnsEndPoint(host, port);
        Assert.Equal(code, (await SocksClient.AskAsync(client, 1, destination)).Code);
        Assert.Equal(0, await client.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
    }

    [SkippableFact]
    public async Task The_reply_names_the_address_that_the_connection_has_in_the_network()
    {
        EndPoint? seen = null;
        using var server = new Server(shared.Driver, shared.FarEnd(Port), stream =>
        {
            seen = stream.Socket.RemoteEndPoint;
            return Server.EchoAsync(stream);
        });
        await using var client = await shared.ConnectAsync(Socks);
        var reply = await SocksClient.AskAsync(client, 1, shared.FarEnd(Port));
        Assert.Equal(0, reply.Code);
        await Transfer.EchoAsync(client, 1000);
        Assert.Equal(seen, reply.Bound);
    }

    [SkippableFact]
    public async Task Bytes_sent_with_the_request_and_in_bulk_arrive_as_they_were()
    {
        using var server = new Server(shared.Driver, shared.FarEnd(Port), Server.EchoAsync);
        await using var client = await shared.ConnectAsync(Socks);
        await client.WriteAsync((byte[])[5, 1, 0, .. SocksClient.Request(1, shared.FarEnd(Port)), .. "early"u8]);
        Assert.Equal([5, 0], await SocksClient.ReadAsync(client, 2));
        Assert.Equal(0, (await SocksClient.ReplyAsync(client)).Code);
        Assert.Equal("early"u8.ToArray(), await SocksClient.ReadAsync(client, 5));
        await Transfer.EchoAsync(client, LiveSize.Bulk);
    }

    [SkippableFact]
    public async Task A_handshake_byte_by_byte_is_as_good()
    {
        using var server = new Server(shared.Driver, shared.FarEnd(Port), Server.EchoAsync);
        await using var client = await shared.ConnectAsync(Socks);
        foreach (var octet in (byte[])[5, 1, 0, .. SocksClient.Request(1, new DnsEndPoint(ProxiedDriver.Name, Port))])
            await client.WriteAsync(new[] { octet });
        Assert.Equal([5, 0], await SocksClient.ReadAsync(client, 2));
        Assert.Equal(0, (await SocksClient.ReplyAsync(client)).Code);
        await Transfer.EchoAsync(client, 100_000);
    }

    [SkippableFact]
    public async Task Bind_awaits_one_connection_and_tells_who_has_come()
    {
        await using var client = await shared.ConnectAsync(Socks);
        var listening = await SocksClient.AskAsync(client, 2, new IPEndPoint(shared.Driver.Peer, 0));
        Assert.Equal(0, listening.Code);
        Assert.Equal(shared.Driver.Own, listening.Bound.Address);

        using var caller = shared.Driver.KernelSocket();
        await caller.ConnectAsync(listening.Bound).WaitAsync(Patience);
        var arrived = await SocksClient.ReplyAsync(client);
        Assert.Equal(0, arrived.Code);
        Assert.Equal(caller.LocalEndPoint, arrived.Bound);
        await using var stream = new NetworkStream(caller);
        await stream.WriteAsync("from the network"u8.ToArray());
        Assert.Equal("from the network"u8.ToArray(), await SocksClient.ReadAsync(client, 16));
        await client.WriteAsync("from the host"u8.ToArray());
        Assert.Equal("from the host"u8.ToArray(), await SocksClient.ReadAsync(stream, 13));

        // One connection, not two.
        using var second = shared.Driver.KernelSocket();
        await Assert.ThrowsAsync<SocketException>(() => second.ConnectAsync(listening.Bound).WaitAsync(Patience));
    }

    [SkippableFact]
    public async Task Bind_that_awaits_another_host_resets_a_stranger()
    {
        await using var client = await shared.ConnectAsync(Socks);
        var listening = await SocksClient.AskAsync(client, 2, new IPEndPoint(shared.Driver.Nobody, 0));
        using var stranger = shared.Driver.KernelSocket();
        // The reset may be there before the call to connect has returned.
        var read = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            await stranger.ConnectAsync(listening.Bound).WaitAsync(Patience);
            await stranger.ReceiveAsync(new byte[1]).WaitAsync(Patience);
        });
        Assert.Equal(SocketError.ConnectionReset, read.SocketErrorCode);
    }

    [SkippableFact]
    public async Task Udp_associate_relays_datagrams_to_addresses_and_names_until_the_client_goes()
    {
        using var service = shared.Driver.BindInKernel();
        var to = (IPEndPoint)service.LocalEndPoint!;
        var client = await shared.ConnectAsync(Socks);
        var reply = await SocksClient.AskAsync(client, 3, new IPEndPoint(IPAddress.Any, 0));
        Assert.Equal(0, reply.Code);
        Assert.Equal(IPAddress.Loopback, reply.Bound.Address);
        using var datagrams = shared.HostSocket(SocketType.Dgram);
        datagrams.Connect(reply.Bound);
        foreach (var length in (int[])[0, 1, 1200, 1452])
        {
            foreach (var destination in (EndPoint[])[to, new DnsEndPoint(ProxiedDriver.Name, to.Port)])
            {
                var payload = new byte[length];
                new Random(length).NextBytes(payload);
                await datagrams.SendAsync((byte[])[0, 0, 0, .. SocksClient.Address(destination), .. payload]);
                var buffer = new byte[2000];
                var got = await service.ReceiveFromAsync(buffer, new IPEndPoint(shared.Driver.Any, 0)).WaitAsync(Patience);
                Assert.Equal(payload, buffer[..got.ReceivedBytes]);
                await service.SendToAsync(payload, got.RemoteEndPoint);
                var back = await datagrams.ReceiveAsync(buffer).WaitAsync(Patience);
                Assert.Equal((byte[])[0, 0, 0, .. SocksClient.Address(to), .. payload], buffer[..back]);
            }
        }

        // A fragment, rubbish, and a stranger's datagram are dropped and counted; the relay goes on.
        var before = await DroppedAsync();
        await datagrams.SendAsync((byte[])[0, 0, 1, .. SocksClient.Address(to), 1]);
        await datagrams.SendAsync((byte[])[1, 2]);
        using var stranger = shared.HostSocket(SocketType.Dgram);
        await stranger.SendToAsync((byte[])[0, 0, 0, .. SocksClient.Address(to), 1], reply.Bound);
        await LiveDriver.EventuallyAsync(async () => await DroppedAsync() == before + 3, () => "The datagrams have not been counted as dropped.");
        Assert.Equal(0, service.Available);

        // The relay's port is closed with the client's connection: ICMP says so to who sends there.
        await client.DisposeAsync();
        await LiveDriver.EventuallyAsync(() => Task.FromResult(IsRefused(datagrams)), () => "The relay goes on without its client.");
    }

    [SkippableFact]
    public async Task A_half_close_passes_both_ways()
    {
        using var server = new Server(shared.Driver, shared.FarEnd(Port), async stream =>
        {
            // The answer comes after the request's end, and after the server's own end nothing stops the client's.
            var request = await Transfer.ReceiveToEndAsync(stream, 1000);
            await Transfer.SendToEndAsync(stream, request.Bytes * 2);
        });
        await using var client = await shared.ConnectAsync(Socks);
        Assert.Equal(0, (await SocksClient.AskAsync(client, 1, shared.FarEnd(Port))).Code);
        await Transfer.SendToEndAsync(client, 500_000);
        Assert.Equal(1_000_000, (await Transfer.ReceiveToEndAsync(client, 1_000_000)).Bytes);
    }

    [SkippableFact]
    public async Task A_client_that_does_not_read_holds_the_sender_back_and_loses_nothing()
    {
        const long Bytes = 96 << 20; // more than all buffers on the way hold
        Task<Sum>? sending = null;
        using var server = new Server(shared.Driver, shared.FarEnd(Port), async stream => await (sending = Transfer.SendToEndAsync(stream, Bytes)));
        await using var client = await shared.ConnectAsync(Socks);
        Assert.Equal(0, (await SocksClient.AskAsync(client, 1, shared.FarEnd(Port))).Code);
        await Task.Delay(2000);
        Assert.False(sending!.IsCompleted, "The sender was never held back.");
        Assert.Equal(await Transfer.ReceiveToEndAsync(client, Bytes), await sending);
    }

    [SkippableFact]
    public async Task Ssh_goes_through_with_nc_as_its_proxy_command()
    {
        var driver = shared.Driver;
        Need(driver.Namespace, "sshd", "ssh", "ssh-keygen", "nc");
        Skip.IfNot(driver.Namespace.TryExec("nc", "-h").Error.Contains("-X", StringComparison.Ordinal), "this nc knows no proxies: it is not OpenBSD's");
        var directory = Directory.CreateTempSubdirectory("tapwire-ssh-");
        MakeDirectory("/run/sshd");
        try
        {
            var key = Path.Combine(directory.FullName, "key");
            driver.Namespace.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key);
            driver.Namespace.Start("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", key, "-o", $"ListenAddress={PeerHost}:2222",
                "-o", $"AuthorizedKeysFile={key}.pub", "-o", "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "UsePAM=no", "-o", "PidFile=none");
            await LiveDriver.EventuallyAsync(() => Task.FromResult(driver.Namespace.TryExec("ss", "-Hlnt", "sport = :2222").Output.Length > 0),
                () => "sshd does not listen.");
            var answer = driver.Namespace.Exec("ssh", "-i", key, "-p", "2222", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "ConnectionAttempts=20", "-F", "/dev/null", "-o", $"ProxyCommand=nc -X 5 -x 127.0.0.1:{Socks} %h %p",
                $"root@{shared.Driver.Peer}", "head -c 3000000 /dev/zero | wc -c");
            Assert.Equal("3000000", answer.Trim());
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>The kernel's address as it stands in a URL.</summary>
    private string PeerHost => LiveDriver.HostOf(shared.Driver.Peer);

    private static bool IsRefused(Socket datagrams)
    {
        try
        {
            datagrams.Send(new byte[] { 0, 0, 1 });
            return datagrams.Poll(1000, SelectMode.SelectRead) && datagrams.Receive(new byte[100]) < 0;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
        {
            return true;
        }
    }

    private async Task<long> DroppedAsync() => (await PortAsync(shared.Driver, $"socks 127.0.0.1:{Socks}")).GetProperty("datagramsDropped").GetInt64();

    /// <summary>Runs curl, and tells what it says of the transfer.</summary>
    private string Curl(string expected, params string[] arguments)
    {
        Need(shared.Driver.Namespace, "curl");
        var done = shared.Driver.Namespace.TryExec("curl",
            ["-sS", "-o", "/dev/null", "--max-time", "30", "-w", "%{http_code} %{size_download}", .. arguments]);
        return done.Output.Length > 0 ? done.Output : $"no output instead of {expected}: {done.Error}";
    }
}

[Collection(LiveServicesCollection.Name)]
public sealed class SocksSpec(ProxiedDriver shared) : SocksSpecs(shared), IClassFixture<ProxiedDriver>;

/// <summary>The same with IPv6 addresses in the driver's network.</summary>
[Collection(LiveServicesCollection.Name)]
public sealed class SocksOverIpv6Spec(ProxiedDriverV6 shared) : SocksSpecs(shared), IClassFixture<ProxiedDriverV6>;
