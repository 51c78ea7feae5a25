using System.Runtime.Versioning;
using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Other settings for a driver that runs.</summary>
[SupportedOSPlatform("linux")]
public sealed class ReconfigureSpecs() : DriverSetup("""serve = ["echo:7", "discard:9"]""")
{
    private const string OwnerOnly = "rw-------";
    private const string Everybody = "rw-rw-rw-";

    [Fact]
    public void The_same_settings_change_nothing()
    {
        var answer = Reconfigure(Settings);
        Assert.Empty(answer.Done);
        Assert.Empty(answer.Problems);
        Assert.Empty(SettingKeys.Differences(Settings, answer.Settings));
    }

    [Fact]
    public void A_service_appears_another_accepts_no_more_and_its_connections_go_on_to_their_end()
    {
        var old = Peer.Connect(7);
        Assert.Equal("a", Echo(old, "a"u8));
        var answer = Reconfigure(Settings with { Serve = [new ServiceSpec("discard", 9), new ServiceSpec("http", 80)] });
        Assert.Equal(["echo:7 closed", "http:80 opened"], answer.Done);
        Assert.Empty(answer.Problems);
        Assert.Equal("ab", Echo(old, "b"u8));
        AssertRefused(7);
        AssertServed(80);
        AssertServed(9);

        old.Close(Peer.Now);
        RunUntil(() => StackStatus().Connections.All(connection => connection.Local.Port != 7));
        Assert.Empty(Reconfigure(answer.Settings).Done);
    }

    [Fact]
    public void A_service_that_comes_again_while_it_serves_its_last_connections_takes_new_ones()
    {
        var old = Peer.Connect(7);
        Assert.Equal("a", Echo(old, "a"u8));
        Reconfigure(Settings with { Serve = [] });
        AssertRefused(7);
        Assert.Equal(["echo:7 opened", "discard:9 opened"], Reconfigure(Settings).Done);
        AssertServed(7);
        Assert.Equal("ab", Echo(old, "b"u8));
    }

    [Fact]
    public void One_service_takes_the_port_of_another()
    {
        var answer = Reconfigure(Settings with { Serve = [new ServiceSpec("discard", 7), new ServiceSpec("echo", 9)] });
        Assert.Equal(["echo:7 closed", "discard:9 closed", "discard:7 opened", "echo:9 opened"], answer.Done);
        Assert.Equal("x", Echo(Peer.Connect(9), "x"u8));
    }

    [Fact]
    public void A_service_whose_port_is_taken_is_named_and_everything_else_goes_on()
    {
        using var application = OpenListening(80);
        using var muted = EventFilter.Warning(start: "Cannot listen").Mute();
        var answer = Reconfigure(Settings with { Serve = [.. Settings.Serve, new ServiceSpec("http", 80), new ServiceSpec("source", 19)] });
        Assert.Equal(["source:19 opened"], answer.Done);
        Assert.Equal(["The service http:80 cannot listen: Address already in use."], answer.Problems);
        Assert.Equal([.. Settings.Serve, new ServiceSpec("source", 19)], answer.Settings.Serve);
        AssertServed(7);

        // What has not been done is still to be done.
        application.Dispose();
        RunUntil(() => StackStatus().Connections.All(connection => connection.Local.Port != 80));
        Assert.Equal(["http:80 opened"], Reconfigure(Settings with { Serve = [.. Settings.Serve, new ServiceSpec("http", 80), new ServiceSpec("source", 19)] }).Done);
    }

    [Fact]
    public void Addresses_come_and_go()
    {
        var second = IpPrefix.Parse("10.99.0.3/24");
        var answer = Reconfigure(Settings with { Addresses = [second] });
        Assert.Equal(["address 10.99.0.3/24 added", "address 10.99.0.2/24 removed"], answer.Done);
        Assert.Equal([second], StackStatus().Addresses());
        Assert.Equal([second], answer.Settings.Addresses);
        Assert.Equal(["address 10.99.0.3/24 removed", "address 10.99.0.3/16 added"], Reconfigure(answer.Settings with { Addresses = [IpPrefix.Parse("10.99.0.3/16")] }).Done);
    }

    [Fact]
    public void An_address_that_the_stack_refuses_is_named()
    {
        var answer = Reconfigure(Settings with { Addresses = [.. Settings.Addresses, IpPrefix.Parse("224.0.0.1/24")] });
        Assert.Equal(["The address 224.0.0.1/24 cannot be added: Invalid argument."], answer.Problems);
        Assert.Equal(Settings.Addresses, answer.Settings.Addresses);
    }

    [Fact]
    public void The_links_users_change_with_the_mode_of_its_file_and_so_do_its_limits()
    {
        Assert.Equal(OwnerOnly, ModeOf(LinkPath));
        var answer = Reconfigure(Settings with { Link = Settings.Link with { Users = ["nobody"], MaxSockets = 1 } }, 65534);
        Assert.Empty(answer.Problems);
        Assert.Equal(Everybody, ModeOf(LinkPath));
        using var first = Open();
        Assert.Equal((int)Tapwire.Stack.StackError.NoBufferSpace, Ask(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0)).Error);

        Reconfigure(Settings);
        Assert.Equal(OwnerOnly, ModeOf(LinkPath));
        using var second = Open();
    }

    [Fact]
    public void A_stop_has_the_patience_of_the_latest_settings()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Reconfigure(Settings with { ShutdownTimeout = TimeSpan.Zero });
        Peer.Loses = _ => true;
        var start = Peer.Now;
        StopDriver();
        Assert.True(Peer.Now - start < Settings.ShutdownTimeout);
    }

    [Fact]
    public void A_driver_that_stops_refuses()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Peer.Loses = _ => true;
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Driver.Tell(new Reconfigure(Settings, []), Session);
        Assert.Equal("The driver is stopping.", Session.ExpectMsg<Status.Failure>().Cause.Message);
    }

    [Fact]
    public void Ports_of_the_host_appear_and_go_and_one_that_is_taken_is_named()
    {
        using var taken = HostListener.Listen(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 0));
        var free = FreePort();
        ForwardSpec Forward(ushort port, string target)
        {
            Assert.True(ForwardSpec.TryParse($"tcp:{port}={target}", out var spec, out _));
            return spec;
        }

        var wanted = Settings with { Forward = [Forward(free, "10.99.0.1:80"), Forward(taken.Local.Port, "10.99.0.1:80")] };
        var answer = Reconfigure(wanted);
        Assert.Equal([$"forward tcp:127.0.0.1:{free}=10.99.0.1:80 opened"], answer.Done);
        Assert.StartsWith($"The port of forward tcp:127.0.0.1:{taken.Local.Port}=10.99.0.1:80 cannot be opened: ", Assert.Single(answer.Problems), StringComparison.Ordinal);
        Assert.Equal([wanted.Forward[0]], answer.Settings.Forward);

        var other = Reconfigure(Settings with { Forward = [Forward(free, "10.99.0.1:81")] });
        Assert.Equal([$"forward tcp:127.0.0.1:{free}=10.99.0.1:80 closed", $"forward tcp:127.0.0.1:{free}=10.99.0.1:81 opened"], other.Done);
        Assert.Equal([$"forward tcp:127.0.0.1:{free}=10.99.0.1:81 closed"], Reconfigure(Settings).Done);
        HostListener.Listen(new IpEndpoint(IpAddress.Parse("127.0.0.1"), free)).Dispose();
    }

    [Fact]
    public void An_exposed_port_accepts_no_more_than_the_latest_bound_and_goes_with_the_settings()
    {
        Assert.True(ExposeSpec.TryParse("tcp:81=127.0.0.1:1", out var tcp, out _));
        Assert.True(ExposeSpec.TryParse("udp:53=127.0.0.1:1", out var udp, out _));
        var wanted = Settings with { Expose = [tcp, udp] };
        Assert.Equal(["expose tcp:81=127.0.0.1:1 opened", "expose udp:53=127.0.0.1:1 opened"], Reconfigure(wanted).Done.Order(StringComparer.Ordinal));
        Assert.Empty(Reconfigure(wanted with { Proxy = wanted.Proxy with { MaxConnections = 1 } }).Problems);
        Assert.Equal(["expose tcp:81=127.0.0.1:1 closed", "expose udp:53=127.0.0.1:1 closed"], Reconfigure(Settings).Done.Order(StringComparer.Ordinal));
        AssertRefused(81);
        Assert.DoesNotContain(StackStatus().Connections, socket => socket.Local.Port is 53 or 81);
    }

    /// <summary>As ls shows it.</summary>
    private static string ModeOf(string path)
    {
        var mode = (int)File.GetUnixFileMode(path);
        return string.Concat(Enumerable.Range(0, 9).Select(bit => (mode & (1 << (8 - bit))) != 0 ? "rwx"[bit % 3] : '-'));
    }

    private static ushort FreePort()
    {
        using var listener = HostListener.Listen(new IpEndpoint(IpAddress.Parse("127.0.0.1"), 0));
        return listener.Local.Port;
    }

    private Reconfigured Reconfigure(DriverSettings settings, params uint[] users)
    {
        Driver.Tell(new Reconfigure(settings, users), Session);
        // The answers meet on a thread of the pool.
        AwaitCondition(() =>
        {
            Run();
            return Session.HasMessages;
        }, TimeSpan.FromSeconds(10));
        return Session.ExpectMsg<Reconfigured>();
    }

    private string Echo(TcpSocket socket, ReadOnlySpan<byte> bytes)
    {
        var before = Peer.ReceivedCount(socket);
        var length = bytes.Length;
        RunUntil(() => socket.State == TcpState.Established);
        Peer.Send(socket, bytes);
        RunUntil(() => Peer.ReceivedCount(socket) == before + length);
        return System.Text.Encoding.ASCII.GetString(Peer.Received(socket));
    }

    private void AssertRefused(ushort port)
    {
        var socket = Peer.Connect(port);
        RunUntil(() => Peer.Ended.Contains(socket));
        Assert.Equal(Tapwire.Stack.StackError.ConnectionRefused, socket.Error);
    }

    private void AssertServed(ushort port)
    {
        var socket = Peer.Connect(port);
        RunUntil(() => socket.State == TcpState.Established);
        socket.Close(Peer.Now);
        Run();
    }
}
