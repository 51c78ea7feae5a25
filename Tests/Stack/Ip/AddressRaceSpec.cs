using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Ip;

/// <summary>Which of a destination's addresses is tried when (RFC 8305), and what is told when none leads there.</summary>
public sealed class AddressRaceSpec
{
    [Theory]
    [InlineData("10.0.0.1 10.0.0.2 fd00::1 fd00::2", "fd00::1 10.0.0.1 fd00::2 10.0.0.2")]
    [InlineData("10.0.0.1 fd00::1 fd00::2", "fd00::1 10.0.0.1 fd00::2")]
    [InlineData("10.0.0.2 10.0.0.1", "10.0.0.2 10.0.0.1")]
    [InlineData("fd00::2", "fd00::2")]
    public void Families_take_turns_and_IPv6_begins(string addresses, string expected)
    {
        var race = new AddressRace([.. addresses.Split(' ').Select(IpAddress.Parse)]);
        var order = new List<IpAddress>();
        while (race.HasNext)
            order.Add(race.Next());
        Assert.Equal(expected.Split(' ').Select(IpAddress.Parse), order);
    }

    [Fact]
    public void The_first_addresss_reason_is_told_unless_there_is_no_way_to_its_family()
    {
        IpAddress[] addresses = [IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"), IpAddress.Parse("fd00::1")];
        var race = new AddressRace(addresses);
        while (race.HasNext)
            race.Next();
        race.Failed(addresses[1], StackError.ConnectionRefused);
        Assert.Equal((StackError.ConnectionRefused, false), (race.Failure, race.IsLost));
        race.Failed(addresses[2], StackError.NetworkUnreachable);
        Assert.Equal(StackError.ConnectionRefused, race.Failure);
        race.Failed(addresses[0], StackError.HostUnreachable);
        Assert.Equal((StackError.HostUnreachable, true), (race.Failure, race.IsLost));
    }

    [Fact]
    public void Without_any_route_that_is_the_reason()
    {
        var race = new AddressRace([IpAddress.Parse("fd00::1")]);
        race.Failed(race.Next(), StackError.NetworkUnreachable);
        Assert.Equal((StackError.NetworkUnreachable, true), (race.Failure, race.IsLost));
    }
}
