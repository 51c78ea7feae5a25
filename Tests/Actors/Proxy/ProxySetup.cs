using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors.Proxy;

/// <summary>A driver in virtual time whose proxy and forwarded ports are real ones on loopback, at ports of the kernel's choice.</summary>
public abstract class ProxySetup(string settings) : DriverSetup("proxy { max-connections = 2, max-flows = 2 }\n" + settings)
{
    private static readonly IpEndpoint Loopback = new(IpAddress.Parse("127.0.0.1"), 0);

    private HostListener _socks = null!;
    private HostListener _forward = null!;
    private HostDatagramSocket _datagrams = null!;

    internal IpEndpoint SocksEnd => _socks.Local;

    internal IpEndpoint ForwardEnd => _forward.Local;

    internal HostClient Socks() => new(this, _socks.Local);

    internal HostClient Forward() => new(this, _forward.Local);

    internal HostClient Datagrams() => new(this, _datagrams.Local, SocketType.Dgram);

    /// <summary>A port's entry in the driver's status: "socks", "forward tcp" and so on.</summary>
    internal JsonElement Port(string name)
    {
        LinkActor.Tell(new Tapwire.Messages.LinkCall(new Tapwire.Links.Protocol.StatusRequest(1)), Session);
        // The answers meet on a thread of the pool.
        AwaitCondition(() =>
        {
            Run();
            return Session.HasMessages;
        }, TimeSpan.FromSeconds(10));
        var answer = Session.ExpectMsg<Tapwire.Messages.LinkReply>().Answer;
        Assert.Equal(0, answer.Error);
        using var status = JsonDocument.Parse(answer.Body);
        return status.RootElement.GetProperty("ports").EnumerateArray().Single(port => port.GetProperty("name").GetString()!.StartsWith(name, StringComparison.Ordinal)).Clone();
    }

    /// <summary>Names that there are: "peer"; "silence", of which nobody knows, and "fault", on which the resolver fails; and "second", whose first address has no service.</summary>
    protected override DriverContext Adapted(DriverContext context)
    {
        _socks = HostListener.Listen(Loopback);
        _forward = HostListener.Listen(Loopback);
        _datagrams = HostDatagramSocket.Bind(Loopback);
        var target = new Tapwire.Proxy.Destination(default, "peer", 80);
        return context with
        {
            HostPorts =
            [
                new SocksPort(new SocksSpec(Loopback), _socks),
                new ForwardPort(new ForwardSpec(Transport.Tcp, Loopback, target), _forward),
                new ForwardDatagramPort(new ForwardSpec(Transport.Udp, Loopback, target), _datagrams),
            ],
            Resolver = Props.Create(() => new Names()),
        };
    }

    private sealed class Names : ReceiveActor
    {
        public Names() => Receive<Resolve>(resolve =>
        {
            if (resolve.Name == "silence")
                return;
            if (resolve.Name == "fault")
                throw new FormatException("A fault on purpose.");
            Sender.Tell(new Resolved(resolve.Name, resolve.Name switch
            {
                "peer" => [Peer.Address],
                "second" => [IpAddress.Parse("10.99.0.77"), Peer.Address],
                _ => [],
            }));
        });
    }
}

/// <summary>A program of the host: a kernel socket that never waits.</summary>
internal sealed class HostClient : IDisposable
{
    private readonly DriverSetup _setup;
    private readonly Socket _socket;

    public HostClient(DriverSetup setup, IpEndpoint port, SocketType type = SocketType.Stream)
    {
        _setup = setup;
        _socket = new Socket(AddressFamily.InterNetwork, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp);
        _socket.Connect(new IPEndPoint(port.Address.ToSystem(), port.Port));
        _socket.Blocking = false;
        setup.Run();
    }

    public bool SawEndOfFile { get; private set; }

    public bool SawReset { get; private set; }

    public void Send(params byte[] bytes)
    {
        Assert.Equal(bytes.Length, _socket.Send(bytes));
        _setup.Run();
    }

    /// <summary>What can be read now.</summary>
    public byte[] Read()
    {
        var all = new List<byte>();
        var buffer = new byte[65536];
        while (true)
        {
            var count = _socket.Receive(buffer, SocketFlags.None, out var error);
            SawReset |= error == SocketError.ConnectionReset;
            SawEndOfFile |= count == 0 && error == SocketError.Success && _socket.SocketType == SocketType.Stream;
            if (count <= 0)
                return [.. all];
            all.AddRange(buffer.AsSpan(0, count));
        }
    }

    /// <summary>Greets, asks to be connected, and returns the reply without its address.</summary>
    public byte[] Ask(params byte[] destination)
    {
        Send([5, 1, 0, 5, 1, 0, .. destination]);
        var reply = Read();
        _setup.RunUntil(() =>
        {
            reply = [.. reply, .. Read()];
            return reply.Length >= 4 || SawEndOfFile || SawReset;
        }, TimeSpan.FromMinutes(2));
        return reply.Length < 4 ? reply : reply[..4];
    }

    public void ShutdownSend()
    {
        _socket.Shutdown(SocketShutdown.Send);
        _setup.Run();
    }

    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        Dispose();
        _setup.Run();
    }

    public void Dispose() => _socket.Dispose();
}
