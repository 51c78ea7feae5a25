using System.Net;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Net;

/// <summary>A driver in virtual time, used by the program in whose process it is.</summary>
public abstract class NetworkSetup : DriverSetup
{
    protected static readonly IPEndPoint PeerEnd = new(IPAddress.Parse("10.99.0.1"), 80);

    protected NetworkSetup()
        : this("")
    {
    }

    protected NetworkSetup(string settings)
        : base(settings)
    {
        var asker = CreateTestProbe("ready");
        Driver.Tell(WhenReady.Instance, asker);
        Network = new TapwireDriver(Sys, ownsSystem: false, Driver, asker.ExpectMsg<DriverReady>(), Settings.ShutdownTimeout);
    }

    protected TapwireDriver Network { get; }

    /// <summary>Waits for a task in virtual time.</summary>
    internal T Await<T>(Task<T> task)
    {
        RunUntil(() => task.IsCompleted);
        return task.GetAwaiter().GetResult();
    }

    internal void Await(Task task)
    {
        RunUntil(() => task.IsCompleted);
        task.GetAwaiter().GetResult();
    }

    /// <summary>A connection to the peer, and the peer's side of it.</summary>
    internal (TapwireStream Stream, TcpSocket Peer) OpenConnected(TapwireConnectOptions? options = null)
    {
        var listener = Peer.Listen(80);
        var stream = Await(Network.ConnectAsync(PeerEnd, options ?? new TapwireConnectOptions()));
        TcpSocket? socket = null;
        RunUntil(() => (socket ??= listener.Accept()) is not null);
        return (stream, socket!);
    }

    internal byte[] ReadAll(TapwireStream stream, int count)
    {
        var all = new byte[count];
        for (var read = 0; read < count;)
        {
            var now = Await(stream.ReadAsync(all.AsMemory(read)).AsTask());
            Assert.True(now > 0, $"The stream has ended after {read} bytes of {count}.");
            read += now;
        }

        return all;
    }

    internal static byte[] Pattern(int count) => [.. Enumerable.Range(0, count).Select(static i => (byte)(i * 31 + (i >> 8)))];
}
