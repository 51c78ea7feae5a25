using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Names;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Names;
using Xunit;

namespace Tapwire.Tests.Actors.Names;

/// <summary>A driver in virtual time whose peer is a name server, too: on UDP and TCP, port 53 of the peer's stack.</summary>
public abstract class NameServerSetup(string settings) : DriverSetup(settings)
{
    private readonly BufferPool _pool = new();
    private readonly List<TcpSocket> _streams = [];
    private UdpSocket? _datagrams;
    private TcpListener? _listener;

    /// <summary>What the server knows.</summary>
    internal FakeZone Zone { get; } = new() { Hosts = { ["www.example.org"] = ["192.0.2.1"], ["peer.example.org"] = ["10.99.0.1"] } };

    /// <summary>The server says nothing.</summary>
    protected bool IsSilent { get; set; }

    /// <summary>Names that have been asked for, by UDP and by TCP, and the ports that they have come from.</summary>
    internal List<(string Name, DnsTransport Transport, ushort Port)> Asked { get; } = [];

    /// <summary>Names that the host's resolver has been asked for.</summary>
    internal List<string> AskedOfHost { get; } = [];

    protected IActorRef Names => Sys.ActorSelection(Driver.Path / "names").ResolveOne(TimeSpan.FromSeconds(3)).GetAwaiter().GetResult();

    internal override void Run()
    {
        do
            base.Run();
        while (Serve());
    }

    /// <summary>Asks the driver's resolver as an actor does.</summary>
    internal Resolved Resolve(string name, LookupKind kind = LookupKind.Addresses, ResolveScope scope = ResolveScope.Any)
    {
        Names.Tell(new Resolve(name, kind) { Scope = scope }, Session);
        RunUntil(() => Session.HasMessages);
        var resolved = Session.ExpectMsg<Resolved>();
        Assert.Equal(name, resolved.Name);
        return resolved;
    }

    internal NamesStatus? NamesStatus()
    {
        Names.Tell(GetStatus.Instance, Session);
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<NamesReport>().Status;
    }

    protected override DriverContext Adapted(DriverContext context) => context with { Resolver = Props.Create(() => new HostNames(AskedOfHost)) };

    /// <returns>True if there was something to answer.</returns>
    private bool Serve()
    {
        if (_datagrams is null)
        {
            Assert.Equal(StackError.None, Peer.Stack.Udp.Bind(new IpEndpoint(IpAddress.AnyV4, 53), new UdpSocketOptions(), out _datagrams));
            _listener = Peer.Listen(53);
        }

        var any = false;
        while (_datagrams!.TryReceive(out var query, out var from))
        {
            any = true;
            var answer = Zone.Answer(query.Span);
            Asked.Add((ReplyBuilder.NameOf(query.Span), DnsTransport.Udp, from.Port));
            query.Release();
            if (IsSilent)
                continue;
            var buffer = _pool.Rent(answer.Length, BufferPool.HeaderRoom);
            answer.CopyTo(buffer.Append(answer.Length));
            Assert.Equal(StackError.None, _datagrams.Send(buffer, from, Peer.Now));
        }

        while (_listener!.Accept() is { } stream)
            _streams.Add(stream);
        foreach (var stream in _streams.ToList())
            any |= Serve(stream);
        return any;
    }

    private bool Serve(TcpSocket stream)
    {
        var bytes = Peer.Received(stream);
        if (IsSilent || bytes.Length < 2 || bytes.Length < 2 + BinaryPrimitives.ReadUInt16BigEndian(bytes))
            return false;
        _streams.Remove(stream);
        var answer = Zone.Answer(bytes.AsSpan(2), isStream: true);
        Asked.Add((ReplyBuilder.NameOf(bytes.AsSpan(2)), DnsTransport.Tcp, stream.Remote.Port));
        Peer.Send(stream, [(byte)(answer.Length >> 8), (byte)answer.Length, .. answer]);
        return true;
    }

    private sealed class HostNames : ReceiveActor
    {
        public HostNames(List<string> asked) => Receive<Resolve>(resolve =>
        {
            asked.Add(resolve.Name);
            Sender.Tell(new Resolved(resolve.Name, resolve.Name.EndsWith(".host", StringComparison.Ordinal) ? [] : [IpAddress.Parse("203.0.113.1")]));
        });
    }
}
