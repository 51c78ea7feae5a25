using Akka.Actor;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Actor;

public class SelectionSpec : Akka.TestKit.Xunit2.TestKit
{
    private readonly IActorRef _tree;

    public SelectionSpec()
    {
        _tree = Sys.ActorOf(Props.Create(() => new Node(2)), "tree");
        Ready(_tree);
    }

    [Theory]
    [InlineData("/user/tree", "tree")]
    [InlineData("/user/tree/a", "a")]
    [InlineData("/user/tree/a/../b", "b")]
    [InlineData("akka://test/user/tree/b/a", "a")]
    public async Task A_path_leads_to_its_actor(string path, string name)
    {
        var found = await Sys.ActorSelection(path).ResolveOne(TimeSpan.FromSeconds(3));
        Assert.Equal(name, found.Path.Name);
    }

    [Theory]
    [InlineData("/user/tree/*", 2)]
    [InlineData("/user/tree/?", 2)]
    [InlineData("/user/tree/*/a", 2)]
    [InlineData("/user/tree/**", 6)]
    [InlineData("/user/tr*", 1)]
    public void A_pattern_leads_to_all_that_match(string path, int count)
    {
        Sys.ActorSelection(path).Tell(new Identify(path), TestActor);
        for (var i = 0; i < count; i++)
            Assert.NotNull(ExpectMsg<ActorIdentity>().Subject);
        ExpectNoMsg(TimeSpan.FromMilliseconds(20));
    }

    [Fact]
    public void Identify_of_what_is_not_there_is_answered_without_a_subject()
    {
        Sys.ActorSelection("/user/tree/none").Tell(new Identify(7), TestActor);
        ExpectMsg(new ActorIdentity(7, null));
    }

    [Fact]
    public async Task ResolveOne_of_what_is_not_there_fails() =>
        await Assert.ThrowsAsync<ActorNotFoundException>(() => Sys.ActorSelection("/user/none").ResolveOne(TimeSpan.FromSeconds(3)));

    [Fact]
    public void A_message_to_what_is_not_there_is_a_dead_letter()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(DeadLetter));
        Sys.ActorSelection("/user/none").Tell("hello", TestActor);
        var letter = ExpectMsg<DeadLetter>();
        Assert.Equal("hello", letter.Message);
        Assert.Equal("none", letter.Recipient.Path.Name);
    }

    [Fact]
    public void A_relative_path_begins_at_the_actor()
    {
        _tree.Tell("a/b", TestActor);
        Assert.Equal("/user/tree/a/b", ExpectMsg<ActorIdentity>().Subject.Path.ToStringWithoutAddress());
    }

    [Fact]
    public async Task A_handle_found_is_equal_to_the_one_made() =>
        Assert.Equal(_tree, await Sys.ActorSelection(_tree.Path).ResolveOne(TimeSpan.FromSeconds(3)));

    private static void Ready(IActorRef actor) => actor.Ask<string>("ready?").Wait();

    private sealed class Node : UntypedActor
    {
        public Node(int depth)
        {
            if (depth == 0)
                return;
            foreach (var name in (string[])["a", "b"])
                Context.ActorOf(Props.Create(() => new Node(depth - 1)), name);
        }

        protected override void OnReceive(object message)
        {
            if (message is "ready?")
                AskChildren();
            else
                Context.ActorSelection((string)message).Tell(new Identify(null), Sender);
        }

        /// <remarks>A parent is ready when its children are.</remarks>
        private void AskChildren() => Task
            .WhenAll(Context.GetChildren().Select(c => c.Ask<string>("ready?")))
            .PipeTo(Sender, success: _ => "yes");
    }
}
