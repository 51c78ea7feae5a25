using System.Diagnostics.Metrics;
using System.Net;
using Akka.Actor;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Net;

/// <summary>A driver in an actor system that the program has already, with Akka.NET's own defaults.</summary>
public sealed class ActorSystemSpec
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task A_driver_begins_and_ends_in_an_actor_system_that_goes_on()
    {
        using var space = NetworkNamespace.Create();
        using var system = ActorSystem.Create("own", "akka { loggers = [], stdout-loglevel = OFF }");
        for (var i = 0; i < 2; i++)
        {
            await using var network = await system.Tapwire().StartAsync(Options(space)).WaitAsync(Patience);
            await using var listener = await network.ListenAsync(80);
            await using var client = await network.ConnectAsync("10.99.0.2", 80).WaitAsync(Patience);
            await using var server = await listener.AcceptAsync().WaitAsync(Patience);
            await client.WriteAsync(new byte[1000]);
            await server.ReadExactlyAsync(new byte[1000]).AsTask().WaitAsync(Patience);
            Assert.Contains("\"sockets\"", await network.GetStatusAsync(), StringComparison.Ordinal);
        }

        Assert.False(system.WhenTerminated.IsCompleted);
        await system.Terminate();
    }

    [SkippableFact]
    public async Task A_meter_has_sockets_and_bytes()
    {
        using var space = NetworkNamespace.Create();
        var seen = new Dictionary<string, long>();
        using var meters = new MeterListener();
        meters.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Tapwire")
                listener.EnableMeasurementEvents(instrument);
        };
        meters.SetMeasurementEventCallback<long>((instrument, value, _, _) => seen[instrument.Name] = value);
        await using var network = await TapwireNetwork.StartAsync(Options(space)).WaitAsync(Patience);
        meters.Start();
        await using var listener = await network.ListenAsync(80);
        await using var client = await network.ConnectAsync("10.99.0.2", 80).WaitAsync(Patience);
        await using var server = await listener.AcceptAsync().WaitAsync(Patience);
        meters.RecordObservableInstruments();
        var before = new Dictionary<string, long>(seen);
        await client.WriteAsync(new byte[1000]);
        await server.ReadExactlyAsync(new byte[1000]).AsTask().WaitAsync(Patience);
        meters.RecordObservableInstruments();
        Assert.InRange(seen["tapwire.sockets"], 3, long.MaxValue);
        Assert.InRange(seen["tapwire.bytes.sent"] - before["tapwire.bytes.sent"], 1000, long.MaxValue);
        Assert.InRange(seen["tapwire.bytes.received"] - before["tapwire.bytes.received"], 1000, long.MaxValue);
    }

    [Fact]
    public async Task What_cannot_be_is_said_in_one_line()
    {
        var wire = await Assert.ThrowsAsync<TapwireException>(() => TapwireNetwork.StartAsync(new() { Wire = "nothing", Addresses = ["10.99.0.2/24"] }));
        Assert.Contains("TapwireOptions line", wire.Message, StringComparison.Ordinal);
        Assert.Contains("\"nothing\"", wire.Message, StringComparison.Ordinal);
        var address = await Assert.ThrowsAsync<TapwireException>(() => TapwireNetwork.StartAsync(new() { Wire = "tap:tw0" }));
        Assert.Contains("has no address", address.Message, StringComparison.Ordinal);
        var setting = await Assert.ThrowsAsync<TapwireException>(() => TapwireNetwork.StartAsync(new() { Wire = "tap:tw0", Addresses = ["10.99.0.2/24"], Settings = "colour = blue" }));
        Assert.Contains("tapwire.colour is not a setting", setting.Message, StringComparison.Ordinal);
        var file = await Assert.ThrowsAsync<TapwireException>(() => TapwireNetwork.StartAsync(new() { Wire = "wg:/nowhere/office.conf" }));
        Assert.Contains("/nowhere/office.conf", file.Message, StringComparison.Ordinal);
        Assert.All((string[])[wire.Message, address.Message, setting.Message, file.Message], static message => Assert.DoesNotContain('\n', message));
    }

    private static TapwireOptions Options(NetworkNamespace space) => new() { Wire = "tap:tw0", Addresses = ["10.99.0.2/24"], OpenWithin = space.Run };
}
