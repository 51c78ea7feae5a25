using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>An application's datagram socket, whose peers are kernel sockets.</summary>
public abstract class LinkDatagramSpecs(SharedDriver shared)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1200)]
    [InlineData(1472)]
    [InlineData(1473)]
    [InlineData(65507)]
    public async Task Datagrams_go_both_ways_with_their_boundaries_and_their_true_sender(int size)
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var application = await OpenAsync(client);
        using var kernel = driver.BindInKernel();
        kernel.ReceiveBufferSize = 1 << 20; // the kernel counts a long datagram's fragments whole
        var first = new byte[size];
        var second = new byte[Math.Max(0, size - 1)];
        new Random(size).NextBytes(first);
        new Random(size + 1).NextBytes(second);

        await application.SendToAsync(first, (IPEndPoint)kernel.LocalEndPoint!);
        await application.SendToAsync(second, (IPEndPoint)kernel.LocalEndPoint!);
        await ExpectAtKernelAsync(kernel, first, application.LocalEndPoint!);
        await ExpectAtKernelAsync(kernel, second, application.LocalEndPoint!);

        await kernel.SendToAsync(first, application.LocalEndPoint!);
        await kernel.SendToAsync(second, application.LocalEndPoint!);
        await ExpectAtApplicationAsync(application, first, (IPEndPoint)kernel.LocalEndPoint!);
        await ExpectAtApplicationAsync(application, second, (IPEndPoint)kernel.LocalEndPoint!);
    }

    [SkippableFact]
    public async Task A_datagram_above_what_UDP_can_carry_is_EMSGSIZE_at_once()
    {
        using var client = await shared.Driver.ConnectToLinkAsync();
        using var application = await OpenAsync(client);
        var longest = shared.Driver.Family == AddressFamily.InterNetwork ? TapwireDatagramSocket.MaxPayloadV4 : TapwireDatagramSocket.MaxPayload;
        var refused = await Assert.ThrowsAsync<SocketException>(() =>
            application.SendToAsync(new byte[longest + 1], new IPEndPoint(shared.Driver.Peer, 9)).AsTask());
        Assert.Equal(SocketError.MessageSize, refused.SocketErrorCode);
    }

    [SkippableFact]
    public async Task A_connected_socket_learns_that_nobody_listens()
    {
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var application = await OpenAsync(client);
        await application.ConnectAsync(new IPEndPoint(shared.Driver.Peer, 9));
        await application.SendAsync("anybody?"u8.ToArray());
        var refused = await Assert.ThrowsAsync<SocketException>(() => application.ReceiveFromAsync(new byte[100]).AsTask().WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [SkippableFact]
    public async Task A_kernel_socket_learns_that_nobody_listens()
    {
        using var kernel = shared.Driver.BindInKernel();
        await kernel.ConnectAsync(new IPEndPoint(shared.Driver.Own, 9999));
        kernel.Send("anybody?"u8);
        var refused = await Assert.ThrowsAsync<SocketException>(() => kernel.ReceiveAsync(new byte[100]).WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [SkippableFact]
    public async Task A_burst_is_kept_in_order_as_far_as_the_queues_hold_it()
    {
        const int Burst = 64;
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var application = await OpenAsync(client);
        using var kernel = driver.BindInKernel();
        for (byte i = 0; i < Burst; i++)
            await kernel.SendToAsync(new[] { i }, application.LocalEndPoint!);
        for (byte i = 0; i < Burst; i++)
            await ExpectAtApplicationAsync(application, [i], (IPEndPoint)kernel.LocalEndPoint!);
    }

    [SkippableFact]
    public async Task Datagrams_that_a_kernel_socket_sends_in_one_call_arrive_one_by_one()
    {
        // UDP_SEGMENT (udp(7)): a device with that offload is given all of them in one frame.
        const int UdpSegment = 103;
        const int Size = 1000;
        var driver = shared.Driver;
        using var client = await driver.ConnectToLinkAsync();
        using var application = await OpenAsync(client);
        using var kernel = driver.BindInKernel();
        kernel.SetRawSocketOption((int)ProtocolType.Udp, UdpSegment, BitConverter.GetBytes(Size));
        var bytes = new byte[9 * Size + 500];
        new Random(7).NextBytes(bytes);
        await kernel.SendToAsync(bytes, application.LocalEndPoint!);
        foreach (var datagram in bytes.Chunk(Size))
            await ExpectAtApplicationAsync(application, datagram, (IPEndPoint)kernel.LocalEndPoint!);
    }

    private async Task<TapwireDatagramSocket> OpenAsync(TapwireClient client) => await client.OpenUdpAsync(new IPEndPoint(shared.Driver.Own, 0)).WaitAsync(Patience);

    private async Task ExpectAtKernelAsync(Socket kernel, byte[] datagram, IPEndPoint sender)
    {
        var buffer = new byte[65536];
        var received = await kernel.ReceiveFromAsync(buffer, new IPEndPoint(shared.Driver.Any, 0)).WaitAsync(Patience);
        Assert.Equal(datagram, buffer[..received.ReceivedBytes]);
        Assert.Equal(sender, received.RemoteEndPoint);
    }

    private static async Task ExpectAtApplicationAsync(TapwireDatagramSocket application, byte[] datagram, IPEndPoint sender)
    {
        var buffer = new byte[65536];
        var received = await application.ReceiveFromAsync(buffer).AsTask().WaitAsync(Patience);
        Assert.Equal(datagram, buffer[..received.ReceivedBytes]);
        Assert.Equal(sender, received.RemoteEndPoint);
    }
}

[Collection(LiveCollection.Name)]
public sealed class LinkDatagramSpec(SharedDriver shared) : LinkDatagramSpecs(shared), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class LinkDatagramOverIpv6Spec(SharedDriverV6 shared) : LinkDatagramSpecs(shared), IClassFixture<SharedDriverV6>;
