using Akka.Actor;
using Akka.Configuration;
using Xunit;

namespace Akka.Tests.Actor;

public class PropsSpec : Akka.TestKit.Xunit2.TestKit
{
    private int _made;

    [Fact]
    public void The_arguments_of_an_expression_are_evaluated_once()
    {
        var props = Props.Create(() => new Named(Next()));
        Assert.Equal("1", Ask(props));
        Assert.Equal("1", Ask(props));
    }

    [Fact]
    public void Arguments_may_be_given_apart()
    {
        Assert.Equal("a", Ask(Props.Create<Named>("a")));
        Assert.Equal("b", Ask(Props.Create(typeof(Named), "b")));
        Assert.Equal("c", Ask(new Props(typeof(Named), ["c"])));
    }

    [Fact]
    public void A_producer_makes_each_instance()
    {
        var producer = new Producer();
        var actor = Sys.ActorOf(Props.CreateBy(producer));
        actor.Tell("who", TestActor);
        ExpectMsg("made 1");
        actor.Tell(1);
        actor.Tell("who", TestActor);
        ExpectMsg("made 2");
        Assert.Equal(1, producer.Released);
    }

    [Fact]
    public void An_expression_that_makes_nothing_is_refused()
    {
        var made = Props.Create(() => new Named("x"));
        Assert.Equal(typeof(Named), made.Type);
        Assert.Throws<ArgumentException>(() => Props.Create(() => Make()));
    }

    [Fact]
    public void Props_without_a_type_are_refused() => Assert.Throws<ArgumentNullException>(() => Props.Create((Type)null!));

    [Fact]
    public void With_gives_changed_copies()
    {
        var props = Props.Create(() => new Named("a"));
        var changed = props.WithDispatcher("d").WithMailbox("m");
        Assert.Equal("d", changed.Dispatcher);
        Assert.Equal("m", changed.Mailbox);
        Assert.Equal("akka.actor.default-dispatcher", props.Dispatcher);
    }

    [Fact]
    public void A_dispatcher_that_is_not_configured_is_refused_at_once() =>
        Assert.Throws<ConfigurationException>(() => Sys.ActorOf(Props.Create(() => new Named("a")).WithDispatcher("none")));

    [Fact]
    public void A_mailbox_that_is_not_configured_is_refused_at_once() =>
        Assert.Throws<ConfigurationException>(() => Sys.ActorOf(Props.Create(() => new Named("a")).WithMailbox("none")));

    private static Named Make() => throw new InvalidOperationException();

    private string Next() => $"{++_made}";

    private string Ask(Props props) => Sys.ActorOf(props).Ask<string>("who").Result;

    private sealed class Named(string name) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is int)
                throw new ApplicationException("bang");
            Sender.Tell(name);
        }
    }

    private sealed class Producer : IIndirectActorProducer
    {
        private int _made;

        public int Released { get; private set; }

        public Type ActorType => typeof(Named);

        public ActorBase Produce() => new Named($"made {++_made}");

        public void Release(ActorBase actor) => Released++;
    }
}
