using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Event;
using Akka.TestKit;
using Akka.TestKit.TestActors;
using Xunit;
using Xunit.Abstractions;

namespace Akka.Tests.TestKit;

public class TestKitSpec : Akka.TestKit.Xunit2.TestKit
{
    public TestKitSpec()
        : base(ConfigurationFactory.ParseString("own.setting = 1, akka.test.default-timeout = 7s"), "named-system")
    {
    }

    [Fact]
    public void The_system_is_configured_by_the_test_and_behind_it_by_the_test_kit()
    {
        Assert.Equal("named-system", Sys.Name);
        Assert.Equal(1, Sys.Settings.Config.GetInt("own.setting"));
        Assert.Equal(["Akka.TestKit.TestEventListener, Akka.TestKit"], Sys.Settings.Config.GetStringList("akka.loggers"));
        Assert.Equal(TimeSpan.FromSeconds(7), TestKitSettings.DefaultTimeout);
        Assert.Equal(TimeSpan.FromSeconds(3), TestKitSettings.SingleExpectDefault);
        Assert.Equal(TimeSpan.FromSeconds(3), TestKitSettings.TestEventFilterLeeway);
        Assert.Equal(1, TestKitSettings.TestTimeFactor);
        Assert.False(TestKitSettings.LogTestKitCalls);
    }

    [Fact]
    public void A_system_can_be_set_up_or_brought_along()
    {
        using var setUp = new Akka.TestKit.Xunit2.TestKit(
            ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig("own.setting = 2")), "set-up");
        Assert.Equal(2, setUp.Sys.Settings.Config.GetInt("own.setting"));
        Assert.Equal(TimeSpan.FromSeconds(5), setUp.TestKitSettings.DefaultTimeout);

        using var system = ActorSystem.Create("brought-along");
        using var kit = new Akka.TestKit.Xunit2.TestKit(system);
        Assert.Same(system, kit.Sys);
        kit.TestActor.Tell("a", ActorRefs.NoSender);
        kit.ExpectMsg("a");
    }

    [Fact]
    public void A_bad_time_factor_is_refused() =>
        Assert.Throws<ConfigurationException>(() => new TestKitSettings(
            ConfigurationFactory.ParseString("akka.test.timefactor = 0").WithFallback(DefaultConfig)));

    [Fact]
    public void Shutting_down_ends_the_system()
    {
        Shutdown(verifySystemShutdown: true);
        Assert.True(Sys.WhenTerminated.IsCompleted);
    }

    [Fact]
    public async Task A_test_sends_as_its_test_actor_also_after_an_await()
    {
        var echo = Sys.ActorOf(SimpleEchoActor.Props());
        echo.Tell(1);
        Assert.Equal(1, await ExpectMsgAsync<int>());
        await Task.Delay(1);
        echo.Tell(2);
        Assert.Equal(2, await ExpectMsgAsync<int>());
        Assert.Equal(echo, LastSender);
    }

    [Fact]
    public void Actors_are_created_through_the_test_kit()
    {
        Assert.Equal("/user/named", ActorOf(Props.Create<BlackHoleActor>(), "named").Path.ToStringWithoutAddress());
        ActorOf<SimpleEchoActor>().Tell("a");
        ExpectMsg("a");
        ActorOf(() => new ForwardActor(TestActor)).Tell("b");
        ExpectMsg("b");
        ActorOf(EchoActor.Props(this)).Tell("c");
        ExpectMsg("c");
        ActorSelection("/user/named").Tell(new Identify(1));
        Assert.Equal("named", ExpectMsg<ActorIdentity>().Subject.Path.Name);
    }

    [Fact]
    public void Children_of_the_test_actor_are_supervised_as_the_test_says()
    {
        var stopped = Watch(ChildActorOf(Props.Create<Fragile>(), "fragile"));
        Assert.Equal(TestActor.Path / "fragile", stopped.Path);
        stopped.Tell("break");
        ExpectTerminated(stopped);

        var restarted = ChildActorOf(Props.Create<Fragile>(), SupervisorStrategy.DefaultStrategy);
        restarted.Tell("break");
        restarted.Tell("still there?");
        ExpectMsg("still there?");
    }

    [Fact]
    public void A_further_test_actor_shares_the_messages()
    {
        CreateTestActor("another").Tell("a");
        ExpectMsg("a");
    }

    [Fact]
    public void Log_events_go_to_the_tests_output()
    {
        var output = new Lines();
        using var kit = new Akka.TestKit.Xunit2.TestKit("akka.loglevel = DEBUG, akka.loggers = []", output);
        kit.AwaitAssert(() =>
        {
            kit.Sys.Log.Info("found {0}", 42);
            Assert.Contains(output.All, line => line.Contains("found 42", StringComparison.Ordinal));
        });
    }

    private sealed class Fragile : ReceiveActor
    {
        public Fragile()
        {
            Receive<string>(message => message == "break", _ => throw new InvalidOperationException("broken on purpose"));
            ReceiveAny(message => Sender.Tell(message));
        }
    }

    private sealed class Lines : ITestOutputHelper
    {
        private readonly List<string> _lines = [];

        public string[] All
        {
            get
            {
                lock (_lines)
                    return [.. _lines];
            }
        }

        public void WriteLine(string message)
        {
            lock (_lines)
                _lines.Add(message);
        }

        public void WriteLine(string format, params object[] args) => WriteLine(string.Format(null, format, args));
    }
}
