using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Services;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

public sealed class DriverActorSpecs : DriverSetup
{
    private const int FlagsAt = EthernetHeader.Length + Ipv4Header.Length + 13;
    private const byte Rst = 4;

    [Fact]
    public void P22_it_stops_in_order_applications_first_then_TCP_and_the_wire_last()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var watcher = CreateTestProbe();
        foreach (var actor in new[] { TapActor, StackActor, LinkActor, Driver })
            watcher.Watch(actor);
        StopDriver();
        var order = Enumerable.Range(0, 4).Select(_ => watcher.ExpectMsg<Terminated>().ActorRef.Path.Name).ToList();
        Assert.Equal("link", order[0]);
        Assert.True(order.IndexOf("tap") < order.IndexOf("driver"));
        Assert.Contains(socket, Peer.EndOfStream);
        app.Read();
        Assert.True(app.SawEndOfFile);
        Assert.True(Wire.Disposed);
    }

    [Fact]
    public void P16_what_the_stack_has_taken_is_sent_before_the_driver_stops()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var bytes = new byte[400_000];
        new Random(1).NextBytes(bytes);
        Peer.NotReading.Add(socket);
        app.Write(bytes);
        Peer.NotReading.Clear();
        StopDriver();
        Peer.ReadAll(socket);
        Assert.Equal(bytes, Peer.Received(socket));
        Assert.Contains(socket, Peer.EndOfStream);
    }

    [Fact]
    public void An_application_that_has_not_read_everything_is_told_by_ECONNRESET()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        for (var i = 0; i < 12; i++)
        {
            Peer.Send(socket, new byte[60_000]);
            Run();
        }

        StopDriver();
        Assert.True(app.Read().Length < 12 * 60_000);
        Assert.True(app.SawReset);
    }

    [Fact]
    public void What_an_application_has_written_before_the_stop_still_goes_out_and_it_can_write_no_more()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        var bytes = new byte[1_000_000];
        new Random(1).NextBytes(bytes);

        // The driver has not looked at it yet, and cannot take all of it at once.
        var written = app.TryWrite(bytes);
        Assert.InRange(written, Settings.Tcp.SendBuffer + 1, bytes.Length);
        Peer.NotReading.Add(socket);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Run();
        Assert.Equal(0, app.TryWrite([1]));
        Peer.NotReading.Remove(socket);
        Peer.ReadAll(socket);
        StopDriver();
        Assert.Equal(bytes[..written], Peer.Received(socket));
        Assert.Contains(socket, Peer.EndOfStream);
        Assert.Equal([], app.Read());
        Assert.True(app.SawEndOfFile);
    }

    [Fact]
    public void What_an_application_has_written_and_its_peer_does_not_take_costs_the_shutdown_timeout_and_both_are_reset()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;
        Peer.NotReading.Add(socket);
        while (app.TryWrite(new byte[100_000]) > 0)
            Run();
        var start = Peer.Now;
        StopDriver();
        Assert.InRange(Peer.Now - start, Settings.ShutdownTimeout, LongestStop);
        app.Read();
        Assert.True(app.SawReset);
        Assert.Equal(StackError.ConnectionReset, socket.Error);
    }

    [Fact]
    public void A_peer_that_does_not_answer_costs_the_shutdown_timeout_and_is_reset()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        var frames = new List<byte[]>();
        Peer.Loses = frame =>
        {
            frames.Add(frame);
            return true;
        };
        var start = Peer.Now;
        StopDriver();
        Assert.InRange(Peer.Now - start, Settings.ShutdownTimeout, LongestStop);
        Assert.Contains(frames, frame => frame.Length > FlagsAt && (frame[FlagsAt] & Rst) != 0);
    }

    [Fact]
    public void With_a_wire_that_is_full_it_stops_within_its_patience_and_leaks_nothing()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Wire.Room = 0;
        app.Write(new byte[200_000]);
        StopDriver();
        Assert.True(Wire.Disposed);
    }

    [Fact]
    public void The_resets_at_the_end_of_its_patience_wait_behind_the_frames_that_the_wire_has_not_taken()
    {
        // More segments than the wire has credit for: the resets come after them.
        const int Connections = 60;
        var listener = Peer.Listen(80, Connections);
        var apps = Enumerable.Range(0, Connections).Select(_ => OpenConnected(80)).ToList();
        var sockets = apps.Select(_ => listener.Accept()!).ToList();
        Wire.Room = 0;
        foreach (var app in apps)
            app.Write(new byte[20_000]);
        Assert.True(StackStatus().Counters.GetValueOrDefault("EgressOverflow") == 0);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Advance(Settings.ShutdownTimeout + TimeSpan.FromMilliseconds(20));
        Assert.DoesNotContain(sockets, Peer.Ended.Contains);
        Wire.BecomeWritable(-1);
        Run();
        Assert.All(sockets, socket => Assert.Contains(socket, Peer.Ended));
        foreach (var app in apps)
            app.Dispose();
    }

    [Fact]
    public void A_peer_that_has_missed_bytes_before_the_reset_is_told_again_when_it_asks()
    {
        var listener = Peer.Listen(80);
        using var app = OpenConnected(80);
        var socket = listener.Accept()!;

        // What the application has written is lost, and so is what repeats it: the reset lies beyond what the peer expects.
        Peer.Loses = frame => frame.Length > 1000;
        app.Write(new byte[5_000]);
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Run();
        Advance(Settings.ShutdownTimeout + TimeSpan.FromMilliseconds(20));
        Assert.Contains(socket, Peer.Ended);
        Assert.Equal(StackError.ConnectionReset, socket.Error);
    }

    [Fact]
    public void P22_a_second_start_works()
    {
        Peer.Listen(80);
        using (OpenConnected(80))
            StartAgain();
        using var app = OpenConnected(80);
        app.Write("again"u8);
        Assert.Equal("Established", Assert.Single(StackStatus().Connections).State);
    }

    [Fact]
    public void It_says_when_it_is_ready()
    {
        Driver.Tell(WhenReady.Instance, Session);
        var ready = Session.ExpectMsg<DriverReady>();
        Assert.Equal(StackActor, ready.Stack);
        Assert.Empty(ready.Services);
    }

    [Fact]
    public void A_driver_that_stops_refuses_who_asks_whether_it_is_ready()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Peer.Loses = _ => true;
        Driver.Tell(Tapwire.Messages.StopDriver.Instance);
        Driver.Tell(WhenReady.Instance, Session);
        Assert.Contains("stopping", Session.ExpectMsg<DriverFailed>().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_service_whose_port_is_taken_fails_the_driver_with_its_reason_whenever_one_asks()
    {
        var settings = Settings with { Serve = [new ServiceSpec("echo", 7), new ServiceSpec("discard", 7)] };
        var wire = new MemoryWire("other");
        using var muted = EventFilter.Error(start: "The driver stops").Mute();
        using var mutedToo = EventFilter.Warning(start: "Cannot listen").Mute();
        var driver = StartDriver("failing", settings, wire, null);
        Watch(driver);
        Advance(settings.ShutdownTimeout);
        Assert.False(HasMessages);
        Assert.True(wire.Disposed);
        driver.Tell(WhenReady.Instance, Session);
        var reason = Session.ExpectMsg<DriverFailed>().Reason;
        Assert.Contains("discard", reason, StringComparison.Ordinal);
        Assert.Contains("Address already in use", reason, StringComparison.Ordinal);
        ExpectTerminated(driver);
    }

    [Fact]
    public void A_gateway_that_is_on_no_network_is_refused_before_there_is_a_driver()
    {
        // Where the wire is still the caller's, who can tell the user in one line.
        var refused = Assert.Throws<SettingsException>(() =>
            StartDriver("failing", Settings with { Gateway = IpAddress.Parse("192.0.2.1") }, new MemoryWire("other"), null));
        Assert.Contains("gateway 192.0.2.1", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void P14_the_driver_serves_what_its_settings_name_and_says_where()
    {
        var wire = new MemoryWire("other");
        var driver = StartDriver("serving", Settings with { Serve = [new ServiceSpec("echo", 7), new ServiceSpec("http", 80)] }, wire, null);
        driver.Tell(WhenReady.Instance, Session);
        var services = Session.ExpectMsg<DriverReady>().Services;
        Assert.Equal(
            [new ServiceOpened("echo", new IpEndpoint(IpAddress.Unspecified, 7), StackError.None), new ServiceOpened("http", new IpEndpoint(IpAddress.Unspecified, 80), StackError.None)],
            services);
        Watch(driver);
        driver.Tell(Tapwire.Messages.StopDriver.Instance);
        ExpectTerminated(driver);
    }
}
