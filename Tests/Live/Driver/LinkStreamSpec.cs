using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Driver;

/// <summary>An application on the driver's link, whose peers are kernel sockets.</summary>
public abstract class LinkStreamSpecs(SharedDriver shared, ITestOutputHelper output)
{
    /// <summary>Bytes. The driver's buffers grow to 16 MiB each, the kernel's to 4 (sending) and 32 (receiving): a sender of this much has to wait for its reader.</summary>
    private const long MoreThanAllBuffers = 64 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private IPEndPoint OwnAddress => new(shared.Driver.Own, 0);

    [SkippableFact]
    public async Task An_application_connects_out_and_moves_bulk_each_way_with_a_half_close_between()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var (application, kernel) = await ConnectOutAsync(driver, client);
        await using (application)
        await using (kernel)
        {
            await MoveAsync("application to kernel", application, kernel);
            await MoveAsync("kernel to application", kernel, application);
        }
    }

    [SkippableFact]
    public async Task An_application_serves_a_listener_and_moves_bulk_each_way_with_a_half_close_between()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(OwnAddress);
        await using var kernel = await driver.ConnectFromKernelAsync(listener.LocalEndPoint.Port);
        await using var application = await listener.AcceptAsync().WaitAsync(Patience);
        await MoveAsync("kernel to accepting application", kernel, application);
        await MoveAsync("accepting application to kernel", application, kernel);
    }

    [SkippableFact]
    public async Task Both_directions_at_once_and_in_small_pieces_are_intact()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var (application, kernel) = await ConnectOutAsync(driver, client);
        await using (application)
        await using (kernel)
        {
            var bytes = LiveSize.Bulk / 8;
            var forth = Transfer.SendToEndAsync(application, bytes, write: 1001, seed: 1);
            var back = Transfer.SendToEndAsync(kernel, bytes, write: 777, seed: 2);
            var atKernel = Transfer.ReceiveToEndAsync(kernel, bytes, read: 999);
            var atApplication = Transfer.ReceiveToEndAsync(application, bytes, read: 5000);
            Assert.Equal(await forth, await atKernel);
            Assert.Equal(await back, await atApplication);
        }
    }

    [SkippableFact]
    public async Task The_first_byte_that_an_application_reads_is_its_peers_first_byte()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var listener = driver.ListenInKernel();
        var accepting = listener.AcceptAsync();
        await using var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!);
        using var kernel = await accepting.WaitAsync(Patience);
        kernel.Send("hello"u8);
        kernel.Close();
        var received = new MemoryStream();
        await application.CopyToAsync(received).WaitAsync(Patience);
        Assert.Equal("hello"u8.ToArray(), received.ToArray());
    }

    [SkippableFact]
    public async Task Addresses_are_what_the_kernel_sees_of_a_connection_made()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var (application, kernel) = await ConnectOutAsync(driver, client);
        await using (application)
        await using (kernel)
        {
            Assert.Equal(kernel.Socket.RemoteEndPoint, await application.Socket.GetLocalEndPointAsync());
            Assert.Equal(kernel.Socket.LocalEndPoint, await application.Socket.GetRemoteEndPointAsync());
            Assert.Equal(kernel.Socket.RemoteEndPoint, application.LocalEndPoint);
            Assert.Equal(kernel.Socket.LocalEndPoint, application.RemoteEndPoint);
            Assert.Equal(driver.Own, application.LocalEndPoint.Address);
        }
    }

    [SkippableFact]
    public async Task Addresses_are_what_the_kernel_sees_of_a_connection_accepted()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(OwnAddress);
        await using var kernel = await driver.ConnectFromKernelAsync(listener.LocalEndPoint.Port);
        await using var application = await listener.AcceptAsync().WaitAsync(Patience);
        Assert.Equal(kernel.Socket.RemoteEndPoint, application.LocalEndPoint);
        Assert.Equal(kernel.Socket.LocalEndPoint, application.RemoteEndPoint);
        Assert.Equal(kernel.Socket.RemoteEndPoint, await ((LinkedStream)application).Socket.GetLocalEndPointAsync());
        Assert.Equal(kernel.Socket.LocalEndPoint, await ((LinkedStream)application).Socket.GetRemoteEndPointAsync());
        Assert.Equal(listener.LocalEndPoint, await listener.Socket.GetLocalEndPointAsync());
    }

    [SkippableFact]
    public async Task A_port_where_nobody_listens_refuses()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var refused = await Assert.ThrowsAsync<SocketException>(() =>
            client.ConnectTcpAsync(new IPEndPoint(driver.Peer, 1)).WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);

        var refusedInKernel = await Assert.ThrowsAsync<SocketException>(() => driver.ConnectFromKernelAsync(1));
        Assert.Equal(SocketError.ConnectionRefused, refusedInKernel.SocketErrorCode);
    }

    [SkippableTheory]
    [InlineData(true, SocketError.HostUnreachable)]
    [InlineData(false, SocketError.NetworkUnreachable)]
    public async Task A_host_that_cannot_be_reached_is_reported_as_such(bool isOnLink, SocketError error)
    {
        var host = isOnLink ? shared.Driver.Nobody : IPAddress.Parse(shared.Driver.Family == AddressFamily.InterNetwork ? "192.0.2.1" : "2001:db8::1");
        using var client = await shared.Driver.ConnectToLinkAsync();
        var unreachable = await Assert.ThrowsAsync<SocketException>(() =>
            client.ConnectTcpAsync(new IPEndPoint(host, 80)).WaitAsync(Patience));
        Assert.Equal(error, unreachable.SocketErrorCode);
    }

    [SkippableFact]
    public async Task A_port_in_use_or_a_foreign_address_cannot_be_listened_on()
    {
        using var client = await shared.Driver.ConnectToLinkAsync();
        var used = await Assert.ThrowsAsync<SocketException>(() =>
            client.ListenAsync(new IPEndPoint(shared.Driver.Any, LiveDriver.Echo)).WaitAsync(Patience));
        Assert.Equal(SocketError.AddressAlreadyInUse, used.SocketErrorCode);
        var foreign = await Assert.ThrowsAsync<SocketException>(() =>
            client.ListenAsync(new IPEndPoint(shared.Driver.Nobody, 0)).WaitAsync(Patience));
        Assert.Equal(SocketError.AddressNotAvailable, foreign.SocketErrorCode);
    }

    [SkippableFact]
    public async Task A_hundred_connections_at_once_reach_a_slow_acceptor_each_with_its_own_bytes()
    {
        const int Count = 100;
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var listener = await client.ListenAsync(OwnAddress, backlog: Count);
        var kernels = Enumerable.Range(0, Count).Select(async i =>
        {
            await using var kernel = await driver.ConnectFromKernelAsync(listener.LocalEndPoint.Port);
            await Transfer.EchoAsync(kernel, 1000 + i, seed: i);
        }).ToList();

        await Task.Delay(500);
        var echoes = new List<Task>();
        for (var i = 0; i < Count; i++)
        {
            var accepted = await listener.AcceptAsync().WaitAsync(Patience);
            echoes.Add(EchoAsync(accepted));
            await Task.Delay(3);
        }

        await Task.WhenAll(kernels).WaitAsync(Patience);
        await Task.WhenAll(echoes).WaitAsync(Patience);
    }

    [SkippableFact]
    public async Task An_application_that_does_not_read_stops_only_its_own_connection()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var (application, kernel) = await ConnectOutAsync(driver, client);
        await using (application)
        await using (kernel)
        {
            var sending = Transfer.SendToEndAsync(kernel, MoreThanAllBuffers);
            await using (var other = await driver.ConnectFromKernelAsync(LiveDriver.Echo))
                await Transfer.EchoAsync(other, 4 << 20);
            await Task.Delay(300);
            Assert.False(sending.IsCompleted);
            Assert.Equal(await Transfer.ReceiveToEndAsync(application, MoreThanAllBuffers), await sending);
        }
    }

    [SkippableFact]
    public async Task A_kernel_peer_that_does_not_read_makes_the_application_wait_and_gets_every_byte()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        var (application, kernel) = await ConnectOutAsync(driver, client);
        await using (application)
        await using (kernel)
        {
            var sending = Transfer.SendToEndAsync(application, MoreThanAllBuffers);
            await Task.Delay(500);
            Assert.False(sending.IsCompleted);
            Assert.Equal(await Transfer.ReceiveToEndAsync(kernel, MoreThanAllBuffers), await sending);
        }
    }

    private static async Task EchoAsync(TapwireStream stream)
    {
        await using (stream)
        {
            await stream.CopyToAsync(stream);
            stream.Shutdown(SocketShutdown.Send);
        }
    }

    private static async Task<(LinkedStream Application, NetworkStream Kernel)> ConnectOutAsync(LiveDriver driver, TapwireClient client)
    {
        using var listener = driver.ListenInKernel();
        var accepting = listener.AcceptAsync();
        var application = await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!).WaitAsync(Patience);
        return (application, new NetworkStream(await accepting.WaitAsync(Patience), ownsSocket: true));
    }

    private async Task MoveAsync(string what, Stream from, Stream to)
    {
        var clock = Stopwatch.StartNew();
        var sending = Transfer.SendToEndAsync(from, LiveSize.Bulk);
        var received = await Transfer.ReceiveToEndAsync(to, LiveSize.Bulk);
        var seconds = clock.Elapsed.TotalSeconds;
        Assert.Equal(await sending, received);
        output.WriteLine($"{what}: {LiveSize.Bulk >> 20} MiB in {seconds:0.00} s, {LiveSize.Bulk * 8 / seconds / 1e9:0.00} Gbit/s, "
            + $"driver has {shared.Driver.Program.ResidentBytes >> 20} MiB resident");
    }
}

[Collection(LiveCollection.Name)]
public sealed class LinkStreamSpec(SharedDriver shared, ITestOutputHelper output) : LinkStreamSpecs(shared, output), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class LinkStreamOverIpv6Spec(SharedDriverV6 shared, ITestOutputHelper output) : LinkStreamSpecs(shared, output), IClassFixture<SharedDriverV6>;
