using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Xunit;

namespace Akka.Tests.Dispatch;

public class DispatchersSpec : Akka.TestKit.Xunit2.TestKit
{
    public DispatchersSpec() : base(ConfigurationFactory.ParseString("""
        pinned { type = PinnedDispatcher, executor = fork-join-executor }
        own-threads {
          type = ForkJoinDispatcher
          dedicated-thread-pool { thread-count = 2, threadtype = background }
        }
        tasks { type = TaskDispatcher, executor = task-executor, throughput = 5 }
        custom { type = "Akka.Tests.Dispatch.DispatchersSpec+QueueConfigurator, Akka.Tests", throughput = 7 }
        another-name = custom
        circle = circle2
        circle2 = circle
        wrong { type = "No.Such.Type, Nowhere" }
        akka.actor.deployment {
          /deployed { dispatcher = pinned }
          "/*/inner" { dispatcher = pinned }
        }
        """)) { }

    [Theory]
    [InlineData("akka.actor.default-dispatcher")]
    [InlineData("pinned")]
    [InlineData("own-threads")]
    [InlineData("tasks")]
    [InlineData("custom")]
    [InlineData("another-name")]
    public void Actors_run_on_every_kind_of_dispatcher(string id)
    {
        var actor = Sys.ActorOf(Props.Create(() => new Where()).WithDispatcher(id));
        for (var i = 0; i < 100; i++)
            actor.Tell(i, TestActor);
        for (var i = 0; i < 100; i++)
            ExpectMsg(i);
    }

    [Fact]
    public void A_pinned_actor_has_a_thread_of_its_own()
    {
        var first = Threads("pinned");
        var second = Threads("pinned");
        Assert.Single(first);
        Assert.Single(second);
        Assert.NotEqual(first.Single(), second.Single());
    }

    [Fact]
    public void A_dispatcher_with_two_threads_uses_no_third()
    {
        var threads = Enumerable.Range(0, 10).SelectMany(_ => Threads("own-threads")).Distinct();
        Assert.InRange(threads.Count(), 1, 2);
    }

    [Fact]
    public void A_custom_dispatcher_runs_what_its_thread_takes_from_its_queue()
    {
        var dispatcher = Assert.IsType<QueueDispatcher>(Sys.Dispatchers.Lookup("custom"));
        Assert.Equal(7, dispatcher.Throughput);
        Assert.Equal([dispatcher.ThreadId], Threads("custom"));
    }

    [Fact]
    public void A_custom_dispatcher_is_shut_down_after_its_last_actor()
    {
        var system = ActorSystem.Create("other", Sys.Settings.Config);
        var dispatcher = (QueueDispatcher)system.Dispatchers.Lookup("custom");
        system.ActorOf(Props.Create(() => new Where()).WithDispatcher("custom")).Tell(1, TestActor);
        ExpectMsg(1);
        Assert.Equal(0, dispatcher.Shutdowns);
        Shutdown(system);
        Assert.InRange(dispatcher.Shutdowns, 1, int.MaxValue);
    }

    [Fact]
    public void Code_can_be_run_on_a_dispatcher()
    {
        using var done = new ManualResetEventSlim();
        Sys.Dispatchers.DefaultGlobalDispatcher.Schedule(done.Set);
        Assert.True(done.Wait(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void The_deployment_names_the_dispatcher_of_a_path()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Where()), "deployed");
        actor.Tell("dispatcher", TestActor);
        ExpectMsg("pinned");
        var parent = Sys.ActorOf(Props.Create(() => new Where()), "any");
        parent.Tell("child's dispatcher", TestActor);
        ExpectMsg("pinned");
    }

    [Fact]
    public void Unknown_dispatchers_are_refused()
    {
        Assert.True(Sys.Dispatchers.HasDispatcher("pinned"));
        Assert.False(Sys.Dispatchers.HasDispatcher("none"));
        Assert.Throws<ConfigurationException>(() => Sys.Dispatchers.Lookup("none"));
        Assert.Throws<ConfigurationException>(() => Sys.Dispatchers.Lookup("wrong"));
        Assert.Throws<ConfigurationException>(() => Sys.Dispatchers.Lookup("circle"));
    }

    private int[] Threads(string dispatcher)
    {
        var actor = Sys.ActorOf(Props.Create(() => new Where()).WithDispatcher(dispatcher));
        for (var i = 0; i < 200; i++)
            actor.Tell("thread", TestActor);
        return Enumerable.Range(0, 200).Select(_ => ExpectMsg<int>()).Distinct().ToArray();
    }

    private sealed class Where : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            switch (message)
            {
                case "thread":
                    Sender.Tell(Environment.CurrentManagedThreadId);
                    break;
                case "dispatcher":
                    Sender.Tell(Context.Dispatcher.Id);
                    break;
                case "child's dispatcher":
                    Context.ActorOf(Props.Create(() => new Where()), "inner").Forward("dispatcher");
                    break;
                default:
                    Sender.Tell(message);
                    break;
            }
        }
    }

    public sealed class QueueConfigurator : MessageDispatcherConfigurator
    {
        private readonly QueueDispatcher _instance;

        public QueueConfigurator(Config config, IDispatcherPrerequisites prerequisites) : base(config, prerequisites) =>
            _instance = new QueueDispatcher(this, config.GetInt("throughput"));

        public override MessageDispatcher Dispatcher() => _instance;
    }

    /// <summary>One thread and one queue: what an application's own dispatcher amounts to.</summary>
    public sealed class QueueDispatcher : MessageDispatcher
    {
        private readonly BlockingCollection<IRunnable> _queue = [];
        private readonly Thread _thread;
        private int _shutdowns;

        public QueueDispatcher(MessageDispatcherConfigurator configurator, int throughput) : base(configurator)
        {
            Throughput = throughput;
            _thread = new Thread(() =>
            {
                foreach (var work in _queue.GetConsumingEnumerable())
                    work.Run();
            }) { IsBackground = true };
            _thread.Start();
        }

        public int ThreadId => _thread.ManagedThreadId;

        public int Shutdowns => Volatile.Read(ref _shutdowns);

        protected override void ExecuteTask(IRunnable run) => _queue.Add(run);

        protected override void Shutdown()
        {
            Interlocked.Increment(ref _shutdowns);
            _queue.CompleteAdding();
        }
    }
}
