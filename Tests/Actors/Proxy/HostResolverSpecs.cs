using Akka.Actor;
using Akka.TestKit.Xunit2;
using Tapwire.Actors.Proxy;
using Tapwire.Messages;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Actors.Proxy;

public sealed class HostResolverSpecs : TestKit
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private IActorRef? _resolver;

    [Fact]
    public void This_machines_own_name_is_found_IPv4_first()
    {
        var resolved = Ask("localhost");
        Assert.Equal(IpAddress.Parse("127.0.0.1"), resolved.Addresses[0]);
    }

    [Fact]
    public void A_name_that_no_host_can_have_has_no_address_and_the_resolver_goes_on()
    {
        Assert.Empty(Ask(new string('a', 255)).Addresses);
        Assert.Empty(Ask("name..with..empty..labels").Addresses);
        Assert.NotEmpty(Ask("localhost").Addresses);
    }

    private Resolved Ask(string name)
    {
        _resolver ??= Sys.ActorOf(HostResolverActor.Props());
        _resolver.Tell(new Resolve(name), TestActor);
        var resolved = ExpectMsg<Resolved>(Patience);
        Assert.Equal(name, resolved.Name);
        return resolved;
    }
}
