using Akka.Actor;
using Xunit;

namespace Akka.Tests.Actor;

public class PathsAndNamesSpec : Akka.TestKit.Xunit2.TestKit
{
    [Theory]
    [InlineData("")]
    [InlineData("$hidden")]
    [InlineData("a/b")]
    [InlineData("a b")]
    [InlineData("ä")]
    [InlineData("%")]
    public void A_malformed_name_is_refused(string name) => Assert.Throws<InvalidActorNameException>(() => Sys.ActorOf(Idle, name));

    [Theory]
    [InlineData("a")]
    [InlineData("-_.*$+:@&=,!~';()")]
    [InlineData("%2F")]
    public void A_name_of_letters_digits_and_some_symbols_is_taken(string name) => Assert.Equal(name, Sys.ActorOf(Idle, name).Path.Name);

    [Fact]
    public void A_name_is_taken_until_its_actor_has_stopped()
    {
        var first = Sys.ActorOf(Idle, "name");
        Assert.Throws<InvalidActorNameException>(() => Sys.ActorOf(Idle, "name"));
        Watch(first);
        Sys.Stop(first);
        ExpectTerminated(first);
        IActorRef second = ActorRefs.Nobody;
        AwaitAssert(() => second = Sys.ActorOf(Idle, "name"));
        Assert.Equal(first.Path, second.Path);
        Assert.NotEqual(first, second);
        Assert.NotEqual(first.Path.Uid, second.Path.Uid);
    }

    [Fact]
    public void Names_are_given_to_those_without()
    {
        var names = Enumerable.Range(0, 3).Select(_ => Sys.ActorOf(Idle).Path.Name).ToArray();
        Assert.Equal(3, names.Distinct().Count());
        Assert.All(names, n => Assert.StartsWith("$", n));
    }

    [Theory]
    [InlineData("akka://sys/user/a")]
    [InlineData("akka://sys/user/a/b#42")]
    [InlineData("akka.tcp://sys@host:2552/user/a")]
    public void A_path_is_read_as_it_is_written(string text)
    {
        var path = ActorPath.Parse(text);
        Assert.Equal(text, path.ToSerializationFormat());
    }

    [Theory]
    [InlineData("")]
    [InlineData("user/a")]
    [InlineData("akka:/sys")]
    [InlineData("akka://sys/user/a#x")]
    public void What_is_no_path_is_refused(string text)
    {
        Assert.False(ActorPath.TryParse(text, out _));
        Assert.Throws<UriFormatException>(() => ActorPath.Parse(text));
    }

    [Fact]
    public void A_path_has_names_and_parents()
    {
        var path = ActorPath.Parse("akka://sys/user/a/b#42");
        Assert.Equal("b", path.Name);
        Assert.Equal(42, path.Uid);
        Assert.Equal(["user", "a", "b"], path.Elements);
        Assert.Equal("akka://sys/user/a", path.Parent.ToString());
        Assert.Equal("/user/a/b", path.ToStringWithoutAddress());
        Assert.Equal("akka://sys/", path.Root.ToString());
        Assert.Equal(path, path.Parent / "b"); // the uid does not count
    }

    [Theory]
    [InlineData("akka://sys", "akka", "sys", null, null)]
    [InlineData("akka.tcp://sys@host:80", "akka.tcp", "sys", "host", 80)]
    public void An_address_is_read_as_it_is_written(string text, string protocol, string system, string? host, int? port)
    {
        var address = Address.Parse(text);
        Assert.Equal(new Address(protocol, system, host, port), address);
        Assert.Equal(text, address.ToString());
    }

    [Fact]
    public void Nobody_is_nobody()
    {
        Assert.True(ActorRefs.Nobody.IsNobody());
        Assert.False(TestActor.IsNobody());
    }

    private static Props Idle => Props.Create(() => new IdleActor());

    private sealed class IdleActor : UntypedActor
    {
        protected override void OnReceive(object message) { }
    }
}
