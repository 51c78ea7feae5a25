using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Xunit;

namespace Akka.Tests.Actor;

public class ActorSystemSpec
{
    private static readonly Config Quiet = ConfigurationFactory.ParseString("akka.loglevel = ERROR");

    [Theory]
    [InlineData("-a")]
    [InlineData("a b")]
    [InlineData("")]
    [InlineData("a/b")]
    public void A_malformed_name_is_refused(string name) => Assert.Throws<ArgumentException>(() => ActorSystem.Create(name, Quiet));

    [Fact]
    public async Task Terminate_stops_all_actors_and_then_runs_what_was_registered_in_reverse()
    {
        var order = new List<string>();
        var system = ActorSystem.Create("sys", Quiet);
        var started = new TaskCompletionSource();
        system.ActorOf(Props.Create(() => new Recorder(started, order)));
        system.RegisterOnTermination(() => order.Add("first"));
        system.RegisterOnTermination(() => order.Add("second"));
        await started.Task;
        await system.Terminate();
        Assert.Equal(["stopped", "second", "first"], order);
        Assert.True(system.WhenTerminated.IsCompletedSuccessfully);
    }

    [Fact]
    public async Task A_system_that_has_stopped_makes_no_actors()
    {
        var system = ActorSystem.Create("sys", Quiet);
        await system.Terminate();
        Assert.Throws<InvalidOperationException>(() => system.ActorOf(Props.Create(() => new Idle())));
    }

    [Fact]
    public async Task An_actor_whose_failure_reaches_the_guardian_ends_the_system_when_it_escalates()
    {
        var system = ActorSystem.Create("sys", ConfigurationFactory.ParseString("""
            akka.loglevel = OFF
            akka.stdout-loglevel = OFF
            akka.actor.guardian-supervisor-strategy = "Akka.Tests.Actor.ActorSystemSpec+Escalating, Akka.Tests"
            """));
        system.ActorOf(Props.Create(() => new Idle())).Tell("boom");
        await system.WhenTerminated.WaitAsync(TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task The_guardians_strategy_is_configured()
    {
        var system = ActorSystem.Create("sys", ConfigurationFactory.ParseString("""
            akka.loglevel = OFF
            akka.actor.guardian-supervisor-strategy = "Akka.Actor.StoppingSupervisorStrategy"
            """));
        var actor = system.ActorOf(Props.Create(() => new Idle()));
        var stopped = actor.GracefulStop(TimeSpan.FromSeconds(10), "boom");
        Assert.True(await stopped);
        await system.Terminate();
    }

    [Fact]
    public async Task An_extension_is_made_once()
    {
        var system = ActorSystem.Create("sys", Quiet);
        Assert.False(system.HasExtension<Extension>());
        var extension = system.WithExtension<Extension, ExtensionProvider>();
        Assert.Same(extension, system.GetExtension<Extension>());
        Assert.Same(extension, new ExtensionProvider().Apply(system));
        Assert.True(system.TryGetExtension<Extension>(out var found));
        Assert.Same(extension, found);
        await system.Terminate();
    }

    [Fact]
    public async Task Configured_extensions_are_loaded_at_the_start()
    {
        var system = ActorSystem.Create("sys", Quiet.WithFallback(ConfigurationFactory.ParseString(
            "akka.extensions = [\"Akka.Tests.Actor.ActorSystemSpec+ExtensionProvider, Akka.Tests\"]")));
        Assert.True(system.HasExtension<Extension>());
        await system.Terminate();
    }

    [Fact]
    public async Task A_bootstrap_setup_brings_the_configuration()
    {
        var setup = ActorSystemSetup.Create(BootstrapSetup.Create().WithConfig(Quiet.WithFallback("my.key = 7")));
        var system = ActorSystem.Create("sys", setup);
        Assert.Equal(7, system.Settings.Config.GetInt("my.key"));
        Assert.Equal("ERROR", system.Settings.LogLevel);
        await system.Terminate();
    }

    [Fact]
    public async Task Stop_of_a_top_level_actor_stops_it()
    {
        var system = ActorSystem.Create("sys", Quiet);
        var actor = system.ActorOf(Props.Create(() => new Idle()));
        var stopped = actor.GracefulStop(TimeSpan.FromSeconds(10), "nothing");
        system.Stop(actor);
        Assert.True(await stopped);
        await system.Terminate();
    }

    public sealed class Escalating : SupervisorStrategyConfigurator
    {
        public override SupervisorStrategy Create() => new OneForOneStrategy(_ => Directive.Escalate);
    }

    public sealed class Extension : IExtension;

    public sealed class ExtensionProvider : ExtensionIdProvider<Extension>
    {
        public override Extension CreateExtension(ExtendedActorSystem system) => new();
    }

    private sealed class Idle : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is "boom")
                throw new ApplicationException("bang");
        }
    }

    private sealed class Recorder(TaskCompletionSource started, List<string> order) : UntypedActor
    {
        protected override void PreStart() => started.SetResult();

        protected override void PostStop() => order.Add("stopped");

        protected override void OnReceive(object message) { }
    }
}
