using Akka.Actor;
using Akka.Configuration;
using BenchmarkDotNet.Attributes;

namespace Tapwire.Bench.Micro;

/// <summary>Messages through the driver's mailbox and through Akka.NET's own, on the driver's dispatcher and on Akka.NET's own.</summary>
public class MailboxBenchmarks
{
    private const int Messages = 100_000;
    private const string Hocon = """
        akka.loglevel = WARNING
        ring.mailbox-type = "Tapwire.Actors.Dispatch.RingMailbox, Tapwire.Actors"
        reactor { type = "Tapwire.Actors.Dispatch.ReactorDispatcherConfigurator, Tapwire.Actors", throughput = 64 }
        """;

    private readonly ManualResetEventSlim _done = new();
    private ActorSystem _system = null!;
    private IActorRef _counter = null!;
    private IActorRef _ping = null!;

    [Params("reactor", "akka.actor.default-dispatcher")]
    public string Dispatcher { get; set; } = "";

    [Params("ring", "unbounded")]
    public string Mailbox { get; set; } = "";

    [GlobalSetup]
    public void Start()
    {
        _system = ActorSystem.Create("bench", ConfigurationFactory.ParseString(Hocon));
        _counter = _system.ActorOf(Props.Create(() => new Counter(_done)).WithDispatcher(Dispatcher).WithMailbox(Mailbox));
        var pong = _system.ActorOf(Props.Create(() => new Pong()).WithDispatcher(Dispatcher).WithMailbox(Mailbox));
        _ping = _system.ActorOf(Props.Create(() => new Ping(pong, _done)).WithDispatcher(Dispatcher).WithMailbox(Mailbox));
    }

    [GlobalCleanup]
    public void Stop() => _system.Terminate().Wait();

    /// <summary>From another thread.</summary>
    [Benchmark(OperationsPerInvoke = Messages)]
    public void Tell()
    {
        _done.Reset();
        for (var i = 0; i < Messages; i++)
            _counter.Tell(Ball.Instance, ActorRefs.NoSender);
        _done.Wait();
    }

    /// <summary>There and back between two actors.</summary>
    [Benchmark(OperationsPerInvoke = Messages)]
    public void PingPong()
    {
        _done.Reset();
        _ping.Tell(Serve.Instance, ActorRefs.NoSender);
        _done.Wait();
    }

    private sealed class Ball
    {
        public static readonly Ball Instance = new();
    }

    private sealed class Serve
    {
        public static readonly Serve Instance = new();
    }

    private sealed class Counter : ReceiveActor
    {
        private int _left = Messages;

        public Counter(ManualResetEventSlim done) => Receive<Ball>(_ =>
        {
            if (--_left > 0)
                return;
            _left = Messages;
            done.Set();
        });
    }

    private sealed class Pong : ReceiveActor
    {
        public Pong() => Receive<Ball>(ball => Sender.Tell(ball, Self));
    }

    private sealed class Ping : ReceiveActor
    {
        private int _left;

        public Ping(IActorRef pong, ManualResetEventSlim done)
        {
            Receive<Serve>(_ =>
            {
                _left = Messages;
                pong.Tell(Ball.Instance, Self);
            });
            Receive<Ball>(ball =>
            {
                if (--_left > 0)
                    pong.Tell(ball, Self);
                else
                    done.Set();
            });
        }
    }
}
