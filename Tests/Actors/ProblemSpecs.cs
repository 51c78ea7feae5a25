using System.Buffers.Binary;
using System.Diagnostics.Metrics;
using System.Text;
using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Actors.Services.Page;
using Tapwire.Host.Status;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>What makes a connection slow, or has something dropped, is named by the status, the metrics, the log and the page, each time as the true cause.</summary>
public sealed class ProblemSpecs : DriverSetup
{
    private const string Token = "0123456789abcdef";

    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private readonly TestProbe _log;
    private readonly List<string> _lines = [];
    private DescriptorRefusals _refusals;

    public ProblemSpecs()
        : base("serve = [\"http:80\", \"source:19\"]") => _log = CreateTestProbe("log");

    protected override DriverContext Adapted(DriverContext context)
    {
        Sys.EventStream.SetLogLevel(LogLevel.InfoLevel);
        return context with
        {
            CaptureDispatcher = VirtualTime.Dispatcher,
            PageToken = PageToken.TryParse(Token, out var token) ? token : null,
            Refusals = () => _refusals,
            WatchEvery = Every,
        };
    }

    [Fact]
    public void A_peer_that_does_not_read()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        var listener = Peer.Listen(8080);
        using var app = OpenConnected(8080);
        var socket = listener.Accept()!;
        Peer.NotReading.Add(socket);
        for (var i = 0; i < 400; i++)
        {
            app.TryWrite(new byte[65_536]);
            Run();
        }

        Advance(TimeSpan.FromSeconds(1));
        IsTold(StatusProblem.ReceiverWindow, "1 connection waits for a peer that does not read (receiver window).", ("tapwire.tcp.limited", 1, "receiver window"));
        Peer.NotReading.Clear();
        Peer.ReadAll(socket);
        IsOver("1 connection waits for a peer that does not read (receiver window)");
    }

    [Fact]
    public void A_peer_that_is_away()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        Peer.Listen(8080);
        using var app = OpenConnected(8080);
        Peer.Loses = static _ => true;
        app.Write("hello"u8);
        Advance(TimeSpan.FromSeconds(3));
        Assert.Contains(Told(), static problem => problem == (StatusProblem.Timeout, "1 connection hears nothing from its peer (timeout)."));
        Await(() => Logged("Needs attention: 1 connection hears nothing from its peer (timeout)"));
        Peer.Loses = static _ => false;
        IsOver("1 connection hears nothing from its peer (timeout)");
    }

    [Fact]
    public void A_program_that_does_not_accept()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        using var app = OpenListening(8080, backlog: 2);
        for (var i = 0; i < 40; i++)
            Peer.Connect(8080);
        Advance(TimeSpan.FromSeconds(1));
        var full = Assert.Single(FiguresOf().FullListeners);
        IsTold(StatusProblem.Backlog, $"The listener at {full.Local} is full: its program does not accept, and {full.Waiting} connections wait.", ("tapwire.tcp.listeners.full", 1, ""));
        Assert.True(Measured().Single(static each => each.Tag == "TcpExtListenOverflows").Value > 0);
    }

    [Fact]
    public void A_station_that_does_not_answer()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        using var app = Open();
        LinkActor.Tell(new LinkCall(new ConnectRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.77"), 80)), 0, false)), CreateTestProbe());
        Advance(TimeSpan.FromSeconds(2));
        IsTold(StatusProblem.Neighbor, "10.99.0.77 on tw0 does not answer: no such station, or it is off.", ("tapwire.interface.neighbors", 1, "incomplete|failed"));
    }

    [Fact]
    public void A_limit_on_descriptors()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        _refusals = new DescriptorRefusals(3, TimeSpan.FromSeconds(2), 256);
        IsTold(StatusProblem.Descriptors, "The driver had no descriptor left 3 times, the last one 2 s ago: its limit on open files is 256.", ("tapwire.stack.events", 3, "DescriptorsRefused"));
        _refusals = _refusals with { Since = TimeSpan.FromMinutes(2) };
        IsOver("The driver had no descriptor left 3 times");
    }

    [Fact]
    public void A_wire_that_is_down_is_told_and_everybody_may_know()
    {
        Wire.Break();
        Advance(TimeSpan.FromSeconds(1));
        Assert.Contains((StatusProblem.Wire, "Wire tw0 is down."), Told());
        Assert.Contains(StatusProblem.AllOf(PageActor.Public(FiguresOf())), static problem => problem.Cause == StatusProblem.Wire);
        NextWires.Enqueue(Peer.Wire = new MemoryWire("second"));
        Advance(TimeSpan.FromSeconds(10));
        Assert.Empty(Told());
    }

    [Fact]
    public void A_path_that_loses_one_packet_in_a_hundred_beside_one_that_has_lost_one_in_all()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        var reader = Peer.Listen(8080);
        using var app = OpenConnected(8080);
        var clean = reader.Accept()!;
        var random = new Random(1);
        var segments = 0;
        Peer.Latency = TimeSpan.FromMilliseconds(20);
        Peer.Loses = frame => IsData(frame, from: 19) ? random.Next(100) == 0 : IsData(frame, to: 8080) && ++segments == 500;
        var lossy = Peer.Connect(19);
        RunUntil(() => lossy.State == TcpState.Established);
        var step = TimeSpan.FromMilliseconds(10);
        for (var i = 0; i < 500; i++)
        {
            app.TryWrite(new byte[65_536]);
            Advance(step, step);
        }

        Assert.True(segments > 10_000, $"{segments} segments on the path that loses one.");
        IsTold(StatusProblem.Loss, "1 connection is slow because its path loses packets (loss).", ("tapwire.tcp.limited", 1, "loss"));
        using var status = JsonDocument.Parse(Ask(new StatusRequest(7)).Text);
        var rows = status.RootElement.GetProperty("connections").EnumerateArray().Select(SocketRow.Of).ToList();
        Assert.Equal("loss", Assert.Single(rows, row => row.Remote == $"{lossy.Local}").LimitedBy);
        Assert.NotEqual("loss", Assert.Single(rows, row => row.Remote == $"{clean.Local}").LimitedBy);
        Assert.Contains(StatusText.ProblemsOf(status.RootElement), static line => line.Contains("1 connection is slow because its path loses packets (loss).", StringComparison.Ordinal));
        lossy.Abort(Peer.Now);
        IsOver("1 connection is slow because its path loses packets (loss)");
    }

    /// <summary>Two fields of TCP's header behind an Ethernet and an IPv4 header, and more than a header.</summary>
    private static bool IsData(byte[] frame, ushort from = 0, ushort to = 0) => frame.Length > 200
        && (from == 0 || BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(34)) == from) && (to == 0 || BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(36)) == to);

    [Fact]
    public void Paths_that_lose_are_told_by_the_number_of_their_connections_and_a_loss_now_and_then_is_not()
    {
        var lossy = FiguresOf() with { Limits = new Dictionary<SenderLimit, int> { [SenderLimit.Loss] = 2, [SenderLimit.Recovery] = 3 } };
        Assert.Equal((StatusProblem.Loss, "2 connections are slow because their paths lose packets (loss)."), Assert.Single(StatusProblem.AllOf(lossy)) is var problem ? (problem.Cause, problem.Text) : default);
    }

    [Fact]
    public void Many_of_a_kind_are_counted()
    {
        var full = Enumerable.Range(1, 12).Select(static port => new FullListenerStatus(new IpEndpoint(Address, (ushort)port), 1, 1)).ToList();
        var problems = StatusProblem.AllOf(FiguresOf() with { FullListeners = full });
        Assert.Equal(9, problems.Count);
        Assert.Equal("And 4 more of these (backlog).", problems[^1].Text);
    }

    /// <summary>The cause is in the status, the metrics, the page's JSON and, soon, the log.</summary>
    /// <param name="metric">The instrument, its value, and the value of its attribute: one of several.</param>
    private void IsTold(string cause, string text, (string Name, double Value, string Tag) metric)
    {
        Assert.Contains((cause, text), Told());
        Assert.Contains(Measured(), each => each.Name == metric.Name && each.Value == metric.Value && (metric.Tag.Length == 0 || metric.Tag.Split('|').Contains(each.Tag)));
        Assert.Contains((cause, text), ToldByPage());
        Await(() => Logged($"Needs attention: {text.TrimEnd('.')}"));
    }

    private void IsOver(string text) => Await(() => Logged($"No more: {text}"));

    private void Await(Func<bool> condition)
    {
        for (var i = 0; i < 60 && !condition(); i++)
        {
            Advance(Every, TimeSpan.FromMilliseconds(10));
            // The answer to the watch's Ask comes by the thread pool.
            SpinWait.SpinUntil(() =>
            {
                Run();
                return condition();
            }, TimeSpan.FromMilliseconds(50));
        }

        Assert.True(condition(), string.Join('\n', _lines));
    }

    private bool Logged(string part)
    {
        while (_log.HasMessages)
            _lines.Add(_log.ExpectMsg<Info>().ToString().Replace("\"", "", StringComparison.Ordinal));
        return _lines.Exists(line => line.Contains(part, StringComparison.Ordinal));
    }

    private List<(string Cause, string Text)> Told() => ProblemsIn(Ask(new StatusRequest(7)).Text);

    private static List<(string Cause, string Text)> ProblemsIn(string json)
    {
        using var status = JsonDocument.Parse(json);
        return [.. status.RootElement.GetProperty("problems").EnumerateArray().Select(static each => (each.GetProperty("cause").GetString()!, each.GetProperty("text").GetString()!))];
    }

    private List<(string Cause, string Text)> ToldByPage()
    {
        // What the spec's path does to others is not done to the page's connection: TCP's port 80 behind an Ethernet and an IPv4 header.
        var loses = Peer.Loses;
        Peer.Loses = frame => !(frame.Length >= 38 && (frame[34..36] is [0, 80] || frame[36..38] is [0, 80])) && loses(frame);
        var socket = Peer.Connect(80);
        RunUntil(() => socket.State == TcpState.Established);
        Peer.Send(socket, Encoding.ASCII.GetBytes($"GET {PageActor.StatusPath} HTTP/1.1\r\nAuthorization: Bearer {Token}\r\nConnection: close\r\n\r\n"));
        RunUntil(() => Peer.EndOfStream.Contains(socket));
        Peer.Loses = loses;
        return ProblemsIn(Encoding.UTF8.GetString(Peer.Received(socket)).Split("\r\n\r\n", 2)[1]);
    }

    private DriverStatus FiguresOf()
    {
        var asked = Driver.Ask<DriverStatus>(GetStatus.Figures);
        Assert.True(SpinWait.SpinUntil(() =>
        {
            Run();
            return asked.IsCompleted;
        }, TimeSpan.FromSeconds(20)));
        return asked.GetAwaiter().GetResult();
    }

    private List<(string Name, double Value, string Tag)> Measured()
    {
        var seen = new List<(string, double, string)>();
        var status = FiguresOf();
        using var metrics = new DriverMetrics(() => status, TimeProvider.System);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, of) =>
        {
            if (metrics.Owns(instrument))
                of.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => seen.Add((instrument.Name, value, tags.Length == 0 ? "" : $"{tags[^1].Value}")));
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }
}
