using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack;

/// <summary>The one table that the threads of all shards change.</summary>
public sealed class SharedPortsSpec
{
    private static readonly PortSharing Group = new() { ReusePort = true, Owner = 1 };

    [Fact]
    public void Of_many_threads_that_bind_a_port_one_has_it_and_none_is_forgotten()
    {
        const int Threads = 4;
        const int Rounds = 400;
        var ports = new SharedPorts();
        var holding = 0;
        var most = 0;
        var bound = 0;
        var threads = Enumerable.Range(0, Threads).Select(shard => new Thread(() =>
        {
            var alone = Holder(shard, 80, default);
            var member = Holder(shard, 81, Group);
            for (var i = 0; i < Rounds; i++)
            {
                if (ports.TryAdd(alone))
                {
                    InterlockedMax(ref most, Interlocked.Increment(ref holding));
                    Interlocked.Increment(ref bound);
                    Interlocked.Decrement(ref holding);
                    ports.Remove(alone);
                }

                Assert.True(ports.TryAdd(member));
                if (i % 2 == 0)
                    ports.Remove(member);
            }
        })).ToList();
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        Assert.Equal(1, most);
        Assert.True(bound > 0);
        Assert.True(ports.At(80).IsEmpty);
        for (var shard = 0; shard < Threads; shard++)
        {
            for (var i = 0; i < Rounds / 2; i++)
                ports.Remove(Holder(shard, 81, Group));
        }

        Assert.True(ports.At(81).IsEmpty);
    }

    [Fact]
    public void A_flow_stays_with_its_shard_where_the_number_of_members_lets_it()
    {
        var ports = new SharedPorts();
        var members = Enumerable.Range(0, 4).Select(shard => Holder(shard, 80, Group) with { Use = PortUse.Listens }).ToList();
        members.ForEach(member => Assert.True(ports.TryAdd(member)));
        var before = Flows(ports);
        Assert.Equal([0, 1, 2, 3], before.Distinct().Order());
        ports.Remove(members[1]);
        Assert.Equal([0, 2, 3], Flows(ports).Distinct().Order());
        Assert.True(ports.TryAdd(members[1]));

        // The last took the place of the one that left, which is the last now.
        Assert.All(before.Zip(Flows(ports)), static pair => Assert.True(pair.First == pair.Second || (pair.First is 1 or 3 && pair.Second is 1 or 3)));
    }

    private static List<int> Flows(SharedPorts ports) =>
        [.. Enumerable.Range(0, 64).Select(i => ports.At(80).Find(new IpEndpoint(IpAddress.Parse("10.0.0.1"), 80), default, (uint)i << 26))];

    private static PortHolder Holder(int shard, ushort port, PortSharing sharing) => new(shard, new IpEndpoint(IpAddress.AnyV4, port), sharing, PortUse.Reserved);

    private static void InterlockedMax(ref int most, int value)
    {
        for (var before = Volatile.Read(ref most); value > before; before = Volatile.Read(ref most))
            Interlocked.CompareExchange(ref most, value, before);
    }
}
