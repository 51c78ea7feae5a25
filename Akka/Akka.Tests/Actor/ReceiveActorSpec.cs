using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Actor;

public class ReceiveActorSpec : Akka.TestKit.Xunit2.TestKit
{
    [Fact]
    public void The_first_handler_that_fits_runs()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Handlers()));
        actor.Tell(1, TestActor);
        ExpectMsg("small int 1");
        actor.Tell(100, TestActor);
        ExpectMsg("int 100");
        actor.Tell("a", TestActor);
        ExpectMsg("string a");
        actor.Tell(2.5, TestActor);
        ExpectMsg("runtime type 2.5");
        actor.Tell('c', TestActor);
        ExpectMsg("any c");
    }

    [Fact]
    public void A_handler_that_returns_false_passes_the_message_on()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Handlers()));
        actor.Tell(-1L, TestActor);
        ExpectMsg("any -1");
        actor.Tell(1L, TestActor);
        ExpectMsg("positive long 1");
    }

    [Fact]
    public void Every_message_reaches_the_first_handler_that_fits_whatever_came_before_it()
    {
        var actor = Sys.ActorOf(Props.Create(() => new ManyHandlers()));
        (object Message, string Handler)[] expected =
        [
            (new ArgumentNullException(), "argument"), (new ArgumentOutOfRangeException(), "argument"), (new InvalidOperationException("odd"), "odd"),
            (new InvalidOperationException(), "exception"), (new FormatException(), "exception"), (new List<int>(), "collection"), (new int[1], "collection"),
            (1, "comparable"), ("a", "comparable"), (2L, "comparable"), (new object(), "unhandled"), (new HashSet<int>(), "unhandled"), (Guid.Empty, "comparable"),
            (new HashSet<int>[1], "collection"), (new Dictionary<int, int>(), "collection"), (DateTime.MinValue, "comparable"),
            (TimeSpan.FromMinutes(3), "3 minutes"), (TimeSpan.FromMinutes(4), "4 minutes"), (5u, "nullable 5"), (new[] { "x", "y" }, "objects x"),
        ];
        var random = new Random(5);
        for (var i = 0; i < 500; i++)
        {
            var (message, handler) = expected[random.Next(expected.Length)];
            Check(actor, message, handler);
        }
    }

    [Fact]
    public void Nothing_can_follow_a_handler_of_everything()
    {
        var failing = Sys.ActorOf(Props.Create(() => new Greedy(TestActor)));
        ExpectMsg<InvalidOperationException>();
        Sys.Stop(failing);
    }

    [Fact]
    public void Handlers_cannot_be_added_later()
    {
        var actor = Sys.ActorOf(Props.Create(() => new AddsLater(TestActor)));
        actor.Tell("go");
        ExpectMsg<InvalidOperationException>();
    }

    [Fact]
    public void An_unhandled_message_is_published()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(UnhandledMessage));
        var actor = Sys.ActorOf(Props.Create(() => new Becoming()));
        actor.Tell(5, TestActor);
        var unhandled = ExpectMsg<UnhandledMessage>();
        Assert.Equal(5, unhandled.Message);
        Assert.Equal(actor, unhandled.Recipient);
        Assert.Equal(TestActor, unhandled.Sender);
    }

    [Fact]
    public void Become_replaces_the_behaviour_and_BecomeStacked_covers_it()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Becoming()));
        Check(actor, "who", "first");
        actor.Tell("stack");
        Check(actor, "who", "second");
        actor.Tell("replace");
        Check(actor, "who", "third");
        actor.Tell("back");
        Check(actor, "who", "first");
    }

    [Fact]
    public void A_restart_begins_with_the_first_behaviour()
    {
        var actor = Sys.ActorOf(Props.Create(() => new Becoming()));
        actor.Tell("stack");
        actor.Tell("boom");
        Check(actor, "who", "first");
    }

    private void Check(IActorRef actor, object question, string answer)
    {
        actor.Tell(question, TestActor);
        ExpectMsg(answer);
    }

    private sealed class Handlers : ReceiveActor
    {
        public Handlers()
        {
            Receive<int>(i => i < 10, i => Sender.Tell($"small int {i}"));
            Receive<int>(i => Sender.Tell($"int {i}"));
            Receive<string>(s => Sender.Tell($"string {s}"));
            Receive<long>(l =>
            {
                if (l <= 0)
                    return false;
                Sender.Tell($"positive long {l}");
                return true;
            });
            Receive(typeof(double), d => Sender.Tell(FormattableString.Invariant($"runtime type {d}")));
            ReceiveAny(o => Sender.Tell($"any {o}"));
        }
    }

    private sealed class ManyHandlers : ReceiveActor
    {
        public ManyHandlers()
        {
            Receive<ArgumentException>(_ => Sender.Tell("argument"));
            Receive<InvalidOperationException>(e => e.Message == "odd", _ => Sender.Tell("odd"));
            Receive<Exception>(_ => Sender.Tell("exception"));
            Receive<IReadOnlyList<object>>(l => l.Count == 2, l => Sender.Tell($"objects {l[0]}"));
            Receive<System.Collections.ICollection>(_ => Sender.Tell("collection"));
            Receive<TimeSpan>(t => Sender.Tell($"{t.Minutes} minutes"));
            Receive<uint?>(u => Sender.Tell($"nullable {u}"));
            Receive(typeof(IComparable), _ => Sender.Tell("comparable"));
            Receive<Exception>(_ => Sender.Tell("never"));
            Receive<string>(_ => Sender.Tell("never"));
        }

        protected override void Unhandled(object message) => Sender.Tell("unhandled");
    }

    private sealed class Greedy : ReceiveActor
    {
        public Greedy(IActorRef to)
        {
            ReceiveAny(_ => { });
            try
            {
                Receive<string>(_ => { });
            }
            catch (InvalidOperationException e)
            {
                to.Tell(e);
            }
        }
    }

    private sealed class AddsLater : ReceiveActor
    {
        public AddsLater(IActorRef to) => Receive<string>(_ =>
        {
            try
            {
                Receive<int>(_ => { });
            }
            catch (InvalidOperationException e)
            {
                to.Tell(e);
            }
        });
    }

    private sealed class Becoming : ReceiveActor
    {
        public Becoming() => First();

        private void First()
        {
            Receive<string>(s => s == "who", _ => Sender.Tell("first"));
            Receive<string>(s => s == "stack", _ => BecomeStacked(Second));
        }

        private void Second()
        {
            Receive<string>(s => s == "who", _ => Sender.Tell("second"));
            Receive<string>(s => s == "replace", _ => Become(Third));
            Receive<string>(s => s == "boom", _ => throw new ApplicationException("bang"));
        }

        private void Third()
        {
            Receive<string>(s => s == "who", _ => Sender.Tell("third"));
            Receive<string>(s => s == "back", _ => UnbecomeStacked());
        }
    }
}
