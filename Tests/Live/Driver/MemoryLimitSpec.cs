using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A driver in a control group that has little memory, and applications that do not read: connections are refused, nobody is killed.</summary>
[Collection(LiveCollection.Name)]
public sealed class MemoryLimitSpec
{
    private const int Connections = 300;
    private const long Limit = 200 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [SkippableFact]
    public async Task Applications_that_do_not_read_do_not_get_the_driver_killed()
    {
        using var group = ControlGroup.Create(Limit);
        using var driver = LiveDriver.StartBy(group.Launcher);
        using var listener = driver.ListenInKernel();
        using var client = await driver.ConnectToLinkAsync();
        var held = new List<TapwireStream>();
        var refused = 0;
        using var serving = new CancellationTokenSource();
        var flood = MemoryFlood.SendToAllAsync(listener, serving.Token);
        for (var i = 0; i < Connections; i++)
        {
            try
            {
                held.Add(await client.ConnectTcpAsync((IPEndPoint)listener.LocalEndPoint!).WaitAsync(Patience));
            }
            catch (SocketException)
            {
                refused++;
            }
        }

        // Nothing is read until as much has come as will.
        var before = -1L;
        await LiveDriver.EventuallyAsync(async () =>
        {
            var received = (await driver.StatusAsync()).GetProperty("wire").GetProperty("bytesReceived").GetInt64();
            var rests = received - before < 1 << 20;
            before = received;
            await Task.Delay(300);
            return rests;
        }, () => "It never comes to rest.");

        // How many get in depends on how fast the first ones are filled.
        Assert.InRange(held.Count, 1, Connections);
        Assert.Equal(Connections, held.Count + refused);
        Assert.False(group.HasKilled, "The kernel has killed a process of the group.");

        // Who reads goes on, and a place that is free again can be taken.
        var buffer = new byte[65536];
        for (var left = 1 << 20; left > 0;)
            left -= await held[0].ReadAsync(buffer).AsTask().WaitAsync(Patience);
        await serving.CancelAsync();
        foreach (var stream in held)
            await stream.DisposeAsync();
        await flood;
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
        Assert.Equal(0, driver.Program.Stop().ExitCode);
        Assert.False(group.HasKilled, "The kernel has killed a process of the group.");
    }

    /// <summary>More of them, and of connections: <c>hostile memory</c> of the specs' program.</summary>
    [SkippableTheory]
    [InlineData(128, 300, 0, 0)]
    [InlineData(128, 300, 300, 300)]
    public async Task Peers_that_write_and_never_read_do_not_get_the_driver_killed(int mebibytes, int echo, int exposed, int application) =>
        await new MemoryFlood(mebibytes, echo, exposed, application).RunAsync();
}
