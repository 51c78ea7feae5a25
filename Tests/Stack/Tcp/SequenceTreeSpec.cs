using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>The tree that whatever a peer's sequence numbers choose from is kept in: its order, and what it costs to find a place.</summary>
public class SequenceTreeSpec
{
    private const uint Base = uint.MaxValue - 50_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void It_agrees_with_a_sorted_list(int seed)
    {
        var random = new Random(seed);
        var priorities = new TreePriorities((ulong)seed);
        var tree = default(SequenceTree<Node>);
        var model = new SortedList<uint, Node>();
        for (var i = 0; i < 20_000; i++)
        {
            var key = (uint)random.Next(100_000);
            var index = IndexBefore(model, key);
            Assert.Same(index < 0 ? null : model.GetValueAtIndex(index), tree.Find(Base + key, out _));
            if (model.TryGetValue(key, out var there))
            {
                if (random.Next(2) == 0)
                {
                    SequenceTree<Node>.Mark(there, !there.IsMarked);
                }
                else
                {
                    tree.Remove(there);
                    model.Remove(key);
                }
            }
            else if (model.Count < 300 || random.Next(3) == 0)
            {
                var node = new Node { Start = Base + key, Priority = priorities.Next() };
                tree.InsertAfter(index < 0 ? null : model.GetValueAtIndex(index), node);
                model.Add(key, node);
            }
            else
            {
                var any = model.GetValueAtIndex(random.Next(model.Count));
                SequenceTree<Node>.Mark(any, random.Next(3) == 0);
            }

            Assert.Equal(model.Count, tree.Count);
            Assert.Same(model.Values.FirstOrDefault(), tree.First);
            Assert.Same(model.Values.LastOrDefault(), tree.Last);
            if (i % 50 == 0)
                Assert.Equal(model.Values, InOrder(tree));
            if (i % 10 == 0)
                Assert.Same(model.Values.FirstOrDefault(node => node.IsMarked), tree.FirstMarked());
        }
    }

    /// <summary>65536 entries: a balanced tree has 16 levels, and one made at random seldom more than three times as many.</summary>
    [Theory]
    [InlineData("ascending")]
    [InlineData("descending")]
    [InlineData("from both ends")]
    [InlineData("random")]
    public void Whatever_the_order_in_which_it_is_filled_a_place_is_found_in_few_steps(string order)
    {
        const int Count = 1 << 16;
        var keys = Enumerable.Range(0, Count).Select(i => (uint)i).ToArray();
        switch (order)
        {
            case "descending":
                Array.Reverse(keys);
                break;
            case "from both ends":
                keys = [.. keys.Select(i => i % 2 == 0 ? i / 2 : Count - 1 - i / 2)];
                break;
            case "random":
                new Random(1).Shuffle(keys);
                break;
        }

        var priorities = new TreePriorities(7);
        var tree = default(SequenceTree<Node>);
        foreach (var key in keys)
            tree.InsertAfter(tree.Find(key, out _), new Node { Start = key, Priority = priorities.Next() });
        long sum = 0;
        for (uint key = 0; key < Count; key++)
        {
            Assert.Equal(key, tree.Find(key, out var steps)!.Start);
            Assert.InRange(steps, 1, 60);
            sum += steps;
        }

        Assert.InRange(sum / Count, 1, 32);
    }

    /// <summary>Every second byte of a window in random order, as a flood would: the list holds 2048 ranges, and places are found in the tree.</summary>
    [Fact]
    public void Bytes_ahead_of_a_gap_find_their_place_in_few_steps()
    {
        var pool = new BufferPool();
        var ranges = new ReassemblyRangePool(1);
        var list = new ReassemblyList();
        var random = new Random(1);
        const int Floods = 20_000;
        for (var i = 0; i < Floods; i++)
        {
            var before = ranges.Steps;
            var buffer = pool.Rent(1);
            buffer.Append(1);
            list.Insert(1000 + 2 * (uint)random.Next(30_000), buffer, pool, ranges);
            while (list.Ranges > ReassemblyList.MaxRanges)
                list.DropLast(ranges);
            Assert.InRange(ranges.Steps - before, 1, 50);
        }

        Assert.Equal(ReassemblyList.MaxRanges, list.Ranges);
        Assert.InRange(ranges.Steps / Floods, 1, 25);
        list.Clear(ranges);
        Assert.Equal(0, pool.Rented);
    }

    private static int IndexBefore(SortedList<uint, Node> model, uint key)
    {
        var (low, high) = (0, model.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (model.GetKeyAtIndex(middle) <= key)
                low = middle + 1;
            else
                high = middle;
        }

        return low - 1;
    }

    private static List<Node> InOrder(SequenceTree<Node> tree)
    {
        List<Node> nodes = [];
        for (var node = tree.First; node is not null; node = node.Next)
        {
            Assert.Same(nodes.LastOrDefault(), node.Previous);
            nodes.Add(node);
        }

        return nodes;
    }

    private sealed class Node : SequenceNode<Node>;
}
