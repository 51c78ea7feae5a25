using System.Net;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>Nothing else runs beside these: they count the descriptors of the whole process.</summary>
[CollectionDefinition(nameof(LinkLeakSpecs), DisableParallelization = true)]
[Collection(nameof(LinkLeakSpecs))]
public sealed class LinkLeakSpecs
{
    [Fact]
    public void Ten_thousand_pairs_of_every_kind_leave_no_descriptor_and_no_buffer_behind()
    {
        var pool = new BufferPool();
        for (var i = 0; i < 100; i++)
            Cycle(pool, i);
        var before = Descriptors.Count;
        for (var i = 0; i < 10_000; i++)
            Cycle(pool, i);
        AssertNoMoreThan(before);
        Assert.Equal(0, pool.Rented);
    }

    [Fact]
    public async Task Ten_thousand_sockets_of_clients_leave_no_descriptor_behind()
    {
        using var driver = new FakeDriver();
        using var client = await TapwireClient.ConnectAsync(driver.Path);
        await CycleAsync(client, 50);
        Assert.Equal(0, driver.SocketCount);
        var before = Descriptors.Count;
        for (var i = 0; i < 5_000 / 50; i++)
            await CycleAsync(client, 50);
        Assert.Equal(0, driver.SocketCount);
        AssertNoMoreThan(before);
    }

    [Fact]
    public async Task A_thousand_sessions_leave_no_descriptor_behind()
    {
        using var driver = new FakeDriver();
        for (var i = 0; i < 10; i++)
            await SessionAsync(driver);
        var before = Descriptors.Count;
        for (var i = 0; i < 1000; i++)
            await SessionAsync(driver);
        while (driver.SessionCount > 0)
            await Task.Yield();
        AssertNoMoreThan(before);
    }

    /// <summary>.NET may close a socket a moment after its disposal, when its last operation has come back, and opens a few descriptors of its own.</summary>
    private static void AssertNoMoreThan(int before)
    {
        for (var i = 0; i < 10_000 && Descriptors.Count > before; i++)
            Thread.Yield();
        Assert.InRange(Descriptors.Count, 0, before + 5);
    }

    private static void Cycle(BufferPool pool, int i)
    {
        var link = StreamLink.Create(out var end);
        switch (i % 5)
        {
            case 0:
                using (var app = AppSocket.Open(end))
                {
                    app.Send([1, 2, 3]);
                    link.Drain(pool);
                }

                break;
            case 1:
                link.Reset();
                break;
            case 2:
                using (var accept = AcceptLink.From(link))
                using (StreamLink.Create(out var connection))
                    accept.TrySend(default, connection);
                break;
            case 3:
                using (DatagramLink.Create(out var datagram))
                    datagram.Dispose();
                break;
        }

        link.Dispose();
        end.Dispose();
    }

    /// <summary>Two sockets each, closed in every order; some are never accepted.</summary>
    private static async Task CycleAsync(TapwireClient client, int count)
    {
        using var listener = await client.ListenAsync(new IPEndPoint(IPAddress.Any, 0));
        for (var i = 0; i < count; i++)
        {
            var connected = await client.ConnectTcpAsync(listener.LocalEndPoint);
            var accepted = i % 10 == 9 ? null : await listener.AcceptAsync();
            if (i % 2 == 0)
                await connected.Socket.CloseAsync();
            if (accepted is not null)
                await ((LinkedStream)accepted).Socket.CloseAsync();
            await connected.DisposeAsync();
        }

        await listener.Socket.CloseAsync();
        // What the driver has to notice by itself, it has noticed when nothing is left.
        while ((await client.GetStatusAsync()) != """{"sockets":0}""")
            await Task.Yield();
    }

    private static async Task SessionAsync(FakeDriver driver)
    {
        using var client = await TapwireClient.ConnectAsync(driver.Path);
        await client.GetStatusAsync();
    }
}
