using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Messages;
using Tapwire.Tests.Actors.Support;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>A driver that cuts and merges super-frames itself.</summary>
public sealed class SoftwareOffloadDriverSpecs : DriverSetup
{
    private readonly byte[] _bytes = new byte[1_000_000];

    /// <summary>Eight frames wait at the tap for a full wire; what does not fit is dropped.</summary>
    public SoftwareOffloadDriverSpecs()
        : base("tap.queue-frames = 8") => new Random(1).NextBytes(_bytes);

    protected override DriverContext Adapted(DriverContext context) =>
        context with
        {
            Shards = [context.Home with { Wires = [context.Home.Wires[0] with { Wire = SoftwareOffloadWire.Over(context.Home.Wires[0].Wire, Pool) }] }],
        };

    [Fact]
    public void The_credit_of_super_frames_comes_back_whole()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        for (var sent = 0; sent < _bytes.Length; Run())
            sent += Math.Max(0, app.TryWrite(_bytes.AsSpan(sent)));
        RunUntil(() => Peer.ReceivedCount(socket) == _bytes.Length);
        Assert.Equal(_bytes, Peer.Received(socket));
    }

    [Fact]
    public void A_full_wire_has_few_super_frames_waiting_however_many_would_go()
    {
        const int Connections = 10;
        var listener = Peer.Listen(80, Connections);
        var apps = Enumerable.Range(0, Connections).Select(_ => OpenConnected(80)).ToList();
        var sockets = apps.Select(_ => listener.Accept()!).ToList();
        foreach (var app in apps)
            app.Write(_bytes.AsSpan(0, 300_000));
        RunUntil(() => sockets.TrueForAll(socket => Peer.ReceivedCount(socket) == 300_000));
        Wire.Room = 0;
        foreach (var app in apps)
        {
            app.TryWrite(_bytes);
            Run();
        }

        var asker = CreateTestProbe();
        asker.Send(TapActor, GetStatus.Instance);
        Assert.Equal(0, asker.ExpectMsg<TapStatus>().Wire.FramesDropped);
        apps.ForEach(static app => app.Dispose());
    }
}
