using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Host;
using Tapwire.Configuration;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Bench.Scale;

/// <summary>
/// Two whole drivers on an in-memory cable: at one end the echo service with an actor per connection, as <c>tapwire up --serve echo</c> has it, at the other an actor
/// per connection, too.
/// </summary>
internal sealed class DriverRun : IScaleRun
{
    private const int Ports = 64;
    private const int FirstPort = 10_000;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);
    private static readonly IpAddress Server = IpAddress.Parse("10.99.0.2");

    private readonly BufferPool _pool = new();
    private readonly Cable _cable = new(new CableOptions(), TimeProvider.System);
    private readonly RunningDriver _left;
    private readonly RunningDriver _right;
    private readonly IActorRef _client;

    public DriverRun(int connections)
    {
        var serve = Enumerable.Range(FirstPort, Ports).Select(port => new ServiceSpec("echo", (ushort)port)).ToArray();
        _left = Start("left", IpAddress.Parse("10.99.0.1"), _cable.A, [], connections);
        _right = Start("right", Server, _cable.B, serve, connections);
        var stack = _left.Ready.Stack;
        _client = _left.System.ActorOf(Props.Create(() => new ScaleClient(stack, Server, FirstPort, Ports, _pool)).WithDispatcher(RunningDriver.DispatcherId), "client");
    }

    public string Name => "driver";

    public object[] Roots => [_left.System, _right.System];

    public int Connected { get; private set; }

    public void Connect(int connections, LatencyLog perConnection)
    {
        Ask(new OpenConnections(connections - Connected, perConnection));
        Connected = connections;
    }

    public void RoundTrips(ReadOnlySpan<int> connections, int count, LatencyLog latency) => Ask(new MakeRoundTrips(connections.ToArray(), count, latency));

    public int? Idle(TimeSpan time)
    {
        Thread.Sleep(time);
        return null;
    }

    public void CloseAll(LatencyLog perConnection)
    {
        Ask(new CloseConnections(perConnection));
        Connected = 0;
    }

    public void Dispose()
    {
        _left.StopAsync().Wait();
        _right.StopAsync().Wait();
        _cable.Dispose();
    }

    private void Ask(object order) => _client.Ask<Done>(order, Patience).Wait();

    private RunningDriver Start(string name, IpAddress address, IWire wire, ServiceSpec[] serve, int connections)
    {
        var configuration = HostConfiguration.Load(null, $$"""
            akka.loglevel = WARNING
            tapwire.tcp.max-sockets = {{Math.Max(1 << 20, connections + 1024)}}
            """);
        var settings = configuration.Settings with { Addresses = [new IpPrefix(address, 24)], Serve = serve };
        return RunningDriver.StartAsync(name, configuration.Config, settings, [[wire]], _ => throw new WireException("The cable is cut."), link: null, _pool)
            .GetAwaiter().GetResult();
    }
}
