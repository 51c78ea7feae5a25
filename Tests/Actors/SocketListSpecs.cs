using System.Text.Json;
using Tapwire.Actors;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>The list of a driver's sockets: what each is, whose it is, and what keeps it from sending.</summary>
public sealed class SocketListSpecs() : DriverSetup("serve = [\"echo:7\"]")
{
    private readonly List<DriverOperation> _operations = [];

    private static readonly PeerCredentials Self = new(Environment.ProcessId, 1000, 1000);

    [Fact]
    public void Sockets_say_whose_they_are()
    {
        using var app = OpenBy(Self);
        Assert.Equal(0, Ask(new BindRequest(2, app.Handle, Sockaddr.From(new IpEndpoint(Address, 8080)))).Error);
        Assert.Equal(0, Ask(new ListenRequest(3, app.Handle, 5)).Error);
        var client = Peer.Connect(8080);
        RunUntil(() => client.State == TcpState.Established);
        Peer.Connect(8080);
        Advance(TimeSpan.FromSeconds(3));

        var rows = List(new SocketFilter { Port = 8080 });
        var listener = Assert.Single(rows, static row => row.State == "Listen");
        Assert.Equal((Environment.ProcessId, 1000u, 5L), (listener.Process, listener.User, listener.SendQueue));
        Assert.Equal(ProcFile.Text("/proc/self/comm").Trim(), listener.Name);
        // Both are accepted ahead, or one of them waits: each is the process's all the same.
        Assert.Equal(2, rows.Count(static row => row.State == "Established"));
        Assert.All(rows, static row => Assert.True(row.Kind is "application" or ""));
        Assert.Contains(rows, static row => row.State == "Established" && row.Process == Environment.ProcessId);
        Assert.All(rows, static row => Assert.InRange(row.Age, 2.9, 10));
        var service = Assert.Single(List(new SocketFilter { Port = 7 }));
        Assert.Equal(("service", "echo", 0), (service.Kind, service.Name, service.Process));
    }

    [Fact]
    public void A_filter_leaves_out_all_others()
    {
        Peer.Listen(80);
        using var connected = OpenConnected(80);
        using var other = OpenBy(Self);
        Assert.Equal(0, Ask(new BindRequest(2, other.Handle, Sockaddr.From(new IpEndpoint(Address, 5353)))).Error);
        Assert.Equal(0, Ask(new ListenRequest(3, other.Handle, 5)).Error);
        Assert.Equal(["Established", "Listen", "Listen"], List(new SocketFilter()).Select(static row => row.State).Order());
        Assert.Equal("Established", Assert.Single(List(new SocketFilter { StateMask = SocketFilter.MaskOf("Established") })).State);
        Assert.Equal("Established", Assert.Single(List(new SocketFilter { Prefix = IpPrefix.Parse("10.99.0.1/32") })).State);
        Assert.Equal(["Established", "Listen"], List(new SocketFilter { Prefix = IpPrefix.Parse("10.99.0.0/24") }).Select(static row => row.State).Order());
        Assert.Equal("Listen", Assert.Single(List(new SocketFilter { Process = Environment.ProcessId })).State);
        Assert.Empty(List(new SocketFilter { Process = Environment.ProcessId, Port = 80 }));
        Assert.Empty(List(new SocketFilter { StateMask = SocketFilter.MaskOf("Udp") }));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(512)]
    public void All_come_page_by_page_each_once(int page)
    {
        Peer.Listen(80, 64);
        var apps = Enumerable.Range(0, 10).Select(_ => OpenConnected(80)).ToList();
        var rows = List(new SocketFilter(), page);
        Assert.Equal(11, rows.Count);
        Assert.Equal(11, rows.Select(static row => (row.State, row.Local)).Distinct().Count());
        apps.ForEach(static app => app.Dispose());
    }

    [Fact]
    public void A_peer_that_does_not_read_is_named_as_what_limits_the_sender()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Assert.Equal("application", List(new SocketFilter { Port = 80 })[0].LimitedBy);
        Peer.NotReading.Add(socket);
        for (var i = 0; i < 400; i++)
        {
            app.TryWrite(new byte[65_536]);
            Run();
        }

        Advance(TimeSpan.FromSeconds(1));
        var row = Assert.Single(List(new SocketFilter { Port = 80 }));
        Assert.Equal("receiver window", row.LimitedBy);
        Assert.True(row.SendQueue > 0);
        Peer.NotReading.Clear();
        Peer.ReadAll(socket);
        RunUntil(() => List(new SocketFilter { Port = 80 })[0] is { LimitedBy: "application", SendQueue: 0 });
    }

    [Fact]
    public void A_silent_network_is_named_as_what_limits_the_sender()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        app.Write("hello"u8);
        RunUntil(() => List(new SocketFilter { Port = 80 })[0].SendQueue == 0);
        Peer.Loses = static _ => true;
        app.Write("hello"u8);
        Advance(TimeSpan.FromSeconds(3));
        Assert.Equal("timeout", List(new SocketFilter { Port = 80 })[0].LimitedBy);
        Peer.Loses = static _ => false;
        RunUntil(() => List(new SocketFilter { Port = 80 })[0] is { LimitedBy: "application", SendQueue: 0 });
    }

    [Fact]
    public void A_connection_that_an_operator_ends_is_aborted_here_and_reset_there()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        using var other = OpenConnected(80);
        var socket = listener.Accept()!;
        var (local, remote) = (socket.Remote, socket.Local);
        Assert.Equal(0, OperatorAsks(new KillRequest(9, local, remote)).Error);
        RunUntil(() => socket.Error == StackError.ConnectionReset);
        RunUntil(() => app.IsReadable);
        app.Read();
        Assert.True(app.SawReset);
        Assert.Equal((int)StackError.ConnectionAborted, OptionOf(app, LinkOption.SolSocket, LinkOption.SoError));
        Assert.False(other.IsReadable);
        var again = OperatorAsks(new KillRequest(10, local, remote));
        Assert.Equal((LinkErrno.NoEntry, $"There is no connection of {local} with {remote}."), (again.Error, again.Text));
    }

    [Fact]
    public void Only_operators_end_connections_and_drivers()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        foreach (LinkRequest request in (LinkRequest[])[new KillRequest(9, socket.Remote, socket.Local), new OperateRequest(10, DriverOperation.Stop)])
        {
            LinkActor.Tell(new LinkCall(request, new PeerCredentials(1, 4711, 4711)), Session);
            RunUntil(() => Session.HasMessages);
            Assert.Equal(LinkErrno.NotPermitted, Session.ExpectMsg<LinkReply>().Answer.Error);
        }

        Assert.Equal("Established", List(new SocketFilter { Port = 80 })[0].State);
    }

    [Fact]
    public void What_the_driver_is_to_do_as_a_whole_is_told_to_its_owner()
    {
        Assert.Equal(0, OperatorAsks(new OperateRequest(9, DriverOperation.Reload)).Error);
        Assert.Equal(0, OperatorAsks(new OperateRequest(10, DriverOperation.Stop)).Error);
        Assert.Equal([DriverOperation.Reload, DriverOperation.Stop], _operations);
    }

    [Fact]
    public void A_cursor_beyond_the_last_shard_is_refused() =>
        Assert.Equal((int)StackError.InvalidArgument, Ask(new ListSocketsRequest(9, new SocketFilter(), 1UL << 40, 10)).Error);

    protected override DriverContext Adapted(DriverContext context) => base.Adapted(context) with { Operate = _operations.Add };

    private LinkAnswer OperatorAsks(LinkRequest request)
    {
        LinkActor.Tell(new LinkCall(request, new PeerCredentials(1, 0, 0)), Session);
        RunUntil(() => Session.HasMessages);
        return Session.ExpectMsg<LinkReply>().Answer;
    }

    private App OpenBy(PeerCredentials peer)
    {
        LinkActor.Tell(new LinkCall(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0), peer), Session);
        RunUntil(() => Session.HasMessages);
        return new App(this, Session.ExpectMsg<LinkReply>().Descriptor!);
    }

    private List<Row> List(SocketFilter filter, int page = 100)
    {
        var rows = new List<Row>();
        for (ulong? cursor = 0; cursor is { } from;)
        {
            var answer = Ask(new ListSocketsRequest(9, filter, from, page));
            Assert.Equal(0, answer.Error);
            using var json = JsonDocument.Parse(answer.Text);
            var sockets = json.RootElement.GetProperty("sockets");
            Assert.InRange(sockets.GetArrayLength(), 0, page);
            rows.AddRange(sockets.EnumerateArray().Select(Row.Of));
            cursor = json.RootElement.TryGetProperty("next", out var next) ? next.GetUInt64() : null;
        }

        return rows;
    }

    private sealed record Row(string State, string Local, long SendQueue, double Age, string Kind, string Name, int Process, uint User, string LimitedBy)
    {
        public static Row Of(JsonElement socket)
        {
            var hasOwner = socket.TryGetProperty("owner", out var owner);
            var isProcess = hasOwner && owner.TryGetProperty("process", out _);
            return new Row(socket.GetProperty("state").GetString()!, socket.GetProperty("local").GetString()!, socket.GetProperty("sendQueue").GetInt64(), socket.GetProperty("ageSeconds").GetDouble(),
                hasOwner ? owner.GetProperty("kind").GetString()! : "", hasOwner ? owner.GetProperty("name").GetString()! : "",
                isProcess ? owner.GetProperty("process").GetInt32() : 0, isProcess ? owner.GetProperty("user").GetUInt32() : 0,
                socket.TryGetProperty("tcp", out var tcp) ? tcp.GetProperty("limitedBy").GetString()! : "");
        }
    }
}
