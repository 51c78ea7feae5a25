using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Support;
using Xunit;
using static Tapwire.Tests.Live.Proxy.ProxiedDriver;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>Forwarded and exposed ports, TCP and UDP.</summary>
public abstract class ForwardSpecs(ProxiedDriver shared)
{
    private const int Connections = 1000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    public static TheoryData<bool> BothWays => [false, true];

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task A_thousand_short_connections_lose_nothing_and_leave_nothing(bool exposed)
    {
        using var server = Serve(exposed, Server.EchoAsync);
        await ExchangeAsync(exposed, 0); // what is made once is made
        var before = Sockets();
        var next = 0;
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            while (Interlocked.Increment(ref next) is <= Connections and var number)
                await ExchangeAsync(exposed, number);
        })).WaitAsync(Patience);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(Sockets() <= before), () => $"The driver had {before} sockets and has {Sockets()}.");
        Assert.Equal(0, (await StatusAsync(exposed, "tcp")).GetProperty("open").GetInt32());
    }

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task Bulk_arrives_as_it_was_sent(bool exposed)
    {
        using var server = Serve(exposed, Server.EchoAsync);
        await using var client = await ConnectAsync(exposed);
        await Transfer.EchoAsync(client, LiveSize.Bulk);
    }

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task A_reset_of_the_server_is_a_reset_to_the_client(bool exposed)
    {
        using var server = Serve(exposed, static async stream =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            stream.Socket.LingerState = new LingerOption(true, 0);
            stream.Socket.Close();
        });
        await using var client = await ConnectAsync(exposed);
        await client.WriteAsync("x"u8.ToArray());
        await AssertResetAsync(client);
    }

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task A_reset_of_the_client_is_a_reset_to_the_server(bool exposed)
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var server = Serve(exposed, async stream =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            await AssertResetAsync(stream);
            seen.SetResult();
        });
        await using var client = await ConnectAsync(exposed);
        await client.WriteAsync("x"u8.ToArray());
        await Task.Delay(100);
        client.Socket.LingerState = new LingerOption(true, 0);
        client.Socket.Close();
        await seen.Task.WaitAsync(Patience);
    }

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task Where_nobody_serves_the_client_is_reset_and_it_is_counted(bool exposed)
    {
        var before = (await StatusAsync(exposed, "tcp")).GetProperty("failed").GetInt64();
        try
        {
            await using var client = await ConnectAsync(exposed);
            await AssertResetAsync(client);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // It may come before connect has returned.
        }

        await LiveDriver.EventuallyAsync(async () => (await StatusAsync(exposed, "tcp")).GetProperty("failed").GetInt64() == before + 1, () => "It has not been counted.");
    }

    [SkippableTheory]
    [MemberData(nameof(BothWays))]
    public async Task Datagrams_of_several_clients_keep_their_boundaries_and_find_their_way_back(bool exposed)
    {
        using var service = exposed ? shared.HostSocket(SocketType.Dgram) : shared.Driver.KernelSocket(SocketType.Dgram);
        service.Bind(exposed ? HostEnd(HostService) : shared.FarEnd(Served));
        var clients = Enumerable.Range(0, 5).Select(_ => exposed ? shared.Driver.KernelSocket(SocketType.Dgram) : shared.HostSocket(SocketType.Dgram)).ToList();
        foreach (var client in clients)
            await client.ConnectAsync(exposed ? new IPEndPoint(shared.Driver.Own, Exposed) : HostEnd(Forwarded));
        foreach (var length in (int[])[0, 1, 1200, 1452])
        {
            foreach (var client in clients)
                await client.SendAsync(Datagram(client, length));
            var buffer = new byte[2000];
            foreach (var _ in clients)
            {
                var got = await service.ReceiveFromAsync(buffer, new IPEndPoint(exposed ? IPAddress.Any : shared.Driver.Any, 0)).WaitAsync(Patience);
                Assert.Equal(length, got.ReceivedBytes);
                await service.SendToAsync(buffer.AsMemory(0, got.ReceivedBytes), got.RemoteEndPoint);
            }

            foreach (var client in clients)
            {
                var back = await client.ReceiveAsync(buffer).WaitAsync(Patience);
                Assert.Equal(Datagram(client, length), buffer[..back]);
            }
        }

        Assert.InRange((await StatusAsync(exposed, "udp")).GetProperty("open").GetInt32(), clients.Count, 20);
        clients.ForEach(static client => client.Dispose());
    }

    /// <summary>Other descriptors are the runtime's, which opens its files when it needs them.</summary>
    private int Sockets() => Directory.EnumerateFileSystemEntries($"/proc/{shared.Driver.Program.Pid}/fd")
        .Count(static descriptor => new FileInfo(descriptor).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    private static byte[] Datagram(Socket client, int length)
    {
        var bytes = new byte[length];
        new Random(((IPEndPoint)client.LocalEndPoint!).Port).NextBytes(bytes);
        return bytes;
    }

    private static async Task AssertResetAsync(NetworkStream stream)
    {
        var e = await Assert.ThrowsAsync<IOException>(() => stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(e.InnerException).SocketErrorCode);
    }

    private Server Serve(bool exposed, Func<NetworkStream, Task> serve) => new(shared.Driver, exposed ? HostEnd(HostService) : shared.FarEnd(Served), serve);

    private Task<NetworkStream> ConnectAsync(bool exposed) => exposed ? shared.Driver.ConnectFromKernelAsync(Exposed) : shared.ConnectAsync(Forwarded);

    private async Task ExchangeAsync(bool exposed, int number)
    {
        await using var client = await ConnectAsync(exposed);
        await Transfer.EchoAsync(client, 1 + number % 5000, seed: number);
    }

    private Task<System.Text.Json.JsonElement> StatusAsync(bool exposed, string transport) => PortAsync(shared.Driver, (exposed, transport) switch
    {
        (false, _) => $"forward {transport}:127.0.0.1:{Forwarded}={LiveDriver.HostOf(shared.Driver.Peer)}:{Served}",
        (true, "tcp") => $"expose tcp:{Exposed}=127.0.0.1:{HostService}",
        _ => $"expose udp:{Exposed}=localhost:{HostService}",
    });
}

[Collection(LiveServicesCollection.Name)]
public sealed class ForwardSpec(ProxiedDriver shared) : ForwardSpecs(shared), IClassFixture<ProxiedDriver>;

/// <summary>The same with IPv6 addresses in the driver's network.</summary>
[Collection(LiveServicesCollection.Name)]
public sealed class ForwardOverIpv6Spec(ProxiedDriverV6 shared) : ForwardSpecs(shared), IClassFixture<ProxiedDriverV6>;
