using System.Diagnostics;
using Akka.Actor;

namespace Tapwire.Bench.Runtime;

internal sealed record Tick(int Number)
{
    public static readonly Tick Same = new(0);
}

internal sealed class Counter(int expected, ManualResetEventSlim done) : UntypedActor
{
    private int _seen;

    protected override void OnReceive(object message)
    {
        if (++_seen == expected)
            done.Set();
    }
}

internal sealed class Pong : UntypedActor
{
    protected override void OnReceive(object message) => Sender.Tell(message);
}

internal sealed class Ping(IActorRef pong, int roundTrips, ManualResetEventSlim done) : UntypedActor
{
    private int _left = roundTrips;

    protected override void OnReceive(object message)
    {
        if (_left-- > 0)
            pong.Tell(Tick.Same);
        else
            done.Set();
    }
}

internal sealed class Idle : UntypedActor
{
    protected override void OnReceive(object message) { }
}

internal sealed class Parent : UntypedActor
{
    protected override void OnReceive(object message)
    {
        if (message is not Spawn spawn)
            return;
        var props = Props.Create<Idle>();
        IActorRef? last = null;
        for (var i = 0; i < spawn.Children; i++)
            last = Context.ActorOf(props);
        // Each child begins on its own; the last one's answer comes close to the end of that.
        last!.Ask<ActorIdentity>(new Identify(null)).ContinueWith(static _ => "done", TaskScheduler.Default).PipeTo(Sender);
    }

    internal sealed record Spawn(int Children);
}

internal sealed class Clocked(List<long> times, int expected, ManualResetEventSlim done) : UntypedActor
{
    protected override void OnReceive(object message)
    {
        if (times.Count > expected)
            return;
        times.Add(Stopwatch.GetTimestamp());
        if (times.Count > expected)
            done.Set();
    }
}
