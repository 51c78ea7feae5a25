using System.Diagnostics;
using System.Net;
using Tapwire.Actors.Settings;
using Tapwire.Host;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Bench.Scale;

/// <summary>
/// Applications' connections: each with a connection actor, which joins it to a descriptor, at the near end, and the echo service at the far one. The applications are this
/// process, so that what they hold themselves counts, too.
/// </summary>
internal sealed class LinkRun : IScaleRun
{
    private const ushort Port = 7;

    private static readonly IpAddress Server = IpAddress.Parse("10.99.0.2");

    private readonly BufferPool _pool = new();
    private readonly Cable _cable = new(new CableOptions(), TimeProvider.System);
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-scale-");
    private readonly RunningDriver _left;
    private readonly RunningDriver _right;
    private readonly TapwireClient _client;
    private readonly List<TapwireStream> _streams = [];

    public LinkRun()
    {
        var path = Path.Combine(_directory.FullName, "left", "link.sock");
        _left = Start("left", IpAddress.Parse("10.99.0.1"), _cable.A, [], LinkListener.Listen(path));
        _right = Start("right", Server, _cable.B, [new ServiceSpec("echo", Port)], null);
        _client = TapwireClient.Connect(path);
    }

    public string Name => "link";

    public object[] Roots => [_left.System, _right.System];

    public int Connected => _streams.Count;

    public void Connect(int connections, LatencyLog perConnection)
    {
        while (_streams.Count < connections)
        {
            var begun = Stopwatch.GetTimestamp();
            _streams.Add(_client.ConnectTcp(new IPEndPoint(Server.ToSystem(), Port)));
            perConnection.Add(Stopwatch.GetElapsedTime(begun));
        }
    }

    public void RoundTrips(ReadOnlySpan<int> connections, int count, LatencyLog latency)
    {
        Span<byte> data = [1];
        for (var i = 0; i < count; i++)
        {
            var begun = Stopwatch.GetTimestamp();
            var stream = _streams[connections[i % connections.Length]];
            stream.Write(data);
            stream.ReadExactly(data);
            latency.Add(Stopwatch.GetElapsedTime(begun));
        }
    }

    public int? Idle(TimeSpan time)
    {
        Thread.Sleep(time);
        return null;
    }

    public void CloseAll(LatencyLog perConnection)
    {
        foreach (var stream in _streams)
        {
            var begun = Stopwatch.GetTimestamp();
            stream.Dispose();
            perConnection.Add(Stopwatch.GetElapsedTime(begun));
        }

        _streams.Clear();
    }

    public void Dispose()
    {
        CloseAll(new LatencyLog(_streams.Count));
        _client.Dispose();
        _left.StopAsync().Wait();
        _right.StopAsync().Wait();
        _cable.Dispose();
        _directory.Delete(recursive: true);
    }

    private RunningDriver Start(string name, IpAddress address, IWire wire, ServiceSpec[] serve, LinkListener? link)
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = WARNING");
        var settings = configuration.Settings with { Addresses = [new IpPrefix(address, 24)], Serve = serve };
        return RunningDriver.StartAsync(name, configuration.Config, settings, [[wire]], _ => throw new WireException("The cable is cut."), link, _pool)
            .GetAwaiter().GetResult();
    }
}
