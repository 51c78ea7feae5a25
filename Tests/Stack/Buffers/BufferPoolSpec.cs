using Tapwire.Stack.Buffers;
using Xunit;

namespace Tapwire.Tests.Stack.Buffers;

public class BufferPoolSpec
{
    [Theory]
    [InlineData(0, 0, 256)]
    [InlineData(64, 192, 256)]
    [InlineData(65, 192, 2048)]
    [InlineData(2048, 0, 2048)]
    [InlineData(16384, 0, 16384)]
    [InlineData(65536, 512, 66048)]
    public void A_buffer_is_of_the_smallest_size_that_fits(int capacity, int headroom, int expected)
    {
        var buffer = new BufferPool().Rent(capacity, headroom);
        Assert.Equal((expected, headroom, 0), (buffer.Capacity, buffer.Headroom, buffer.Length));
        Assert.True(buffer.Tailroom >= capacity);
        buffer.Release();
    }

    [Fact]
    public void The_buffer_returned_last_is_rented_first()
    {
        var pool = new BufferPool();
        var first = pool.Rent(100);
        var second = pool.Rent(100);
        first.Release();
        second.Release();
        Assert.Same(second, pool.Rent(100));
        Assert.Same(first, pool.Rent(100));
        Assert.Equal(2, pool.Rented);
    }

    [Fact]
    public void Buffers_of_two_pools_on_one_thread_never_mix()
    {
        var pools = new[] { new BufferPool(), new BufferPool() };
        var seen = new HashSet<PacketBuffer>[] { [], [] };
        var random = new Random(1);
        var held = new List<(int Pool, PacketBuffer Buffer)>();
        for (var i = 0; i < 20_000; i++)
        {
            if (held.Count < 20 && random.Next(2) == 0)
            {
                var which = random.Next(2);
                var buffer = pools[which].Rent(random.Next(4000));
                Assert.DoesNotContain(held, h => h.Buffer == buffer);
                Assert.DoesNotContain(buffer, seen[1 - which]);
                seen[which].Add(buffer);
                held.Add((which, buffer));
            }
            else if (held.Count > 0)
            {
                held[^1].Buffer.Release();
                held.RemoveAt(held.Count - 1);
            }

            Assert.Equal(held.Count(h => h.Pool == 0), pools[0].Rented);
            Assert.Equal(held.Count(h => h.Pool == 1), pools[1].Rented);
        }
    }

    [Fact]
    public void Buffers_rented_on_one_thread_and_returned_on_another_come_back()
    {
        var pool = new BufferPool();
        var first = Enumerable.Range(0, 1000).Select(_ => pool.Rent(100)).ToHashSet();
        var thread = new Thread(() =>
        {
            foreach (var buffer in first)
                buffer.Release();
        });
        thread.Start();
        thread.Join();
        Assert.Equal(0, pool.Rented);
        var again = Enumerable.Range(0, 1000).Select(_ => pool.Rent(100)).ToHashSet();
        Assert.Equal(1000, again.Count);
        // All but the few that the other thread has kept at hand.
        Assert.True(again.Count(first.Contains) >= 900);
    }

    /// <summary>Half of what was in use at once, and at most as many again as a thread has at hand; none of that while the thread serves another pool.</summary>
    [Fact]
    public void What_is_kept_is_half_of_what_was_in_use()
    {
        var pool = new BufferPool(retainedBytes: 10 * 2048);
        var first = Enumerable.Range(0, 1000).Select(_ => pool.Rent(2000)).ToHashSet();
        foreach (var buffer in first)
            buffer.Release();
        var again = Enumerable.Range(0, 1000).Select(_ => pool.Rent(2000)).ToList();
        Assert.InRange(again.Count(first.Contains), 500, 500 + 64);
    }

    [Fact]
    public void What_is_kept_of_a_peak_becomes_less_while_less_is_used()
    {
        var pool = new BufferPool(retainedBytes: 10 * 2048);
        var first = Enumerable.Range(0, 1000).Select(_ => pool.Rent(2000)).ToHashSet();
        foreach (var buffer in first)
            buffer.Release();
        for (var i = 0; i < 3000; i++)
        {
            var few = Enumerable.Range(0, 100).Select(_ => pool.Rent(2000)).ToList();
            few.ForEach(buffer => buffer.Release());
        }

        var again = Enumerable.Range(0, 1000).Select(_ => pool.Rent(2000)).ToList();
        Assert.InRange(again.Count(first.Contains), 10, 100 + 64);
    }

    [Fact]
    public void Releasing_once_too_often_is_noticed()
    {
        var buffer = new BufferPool().Rent(10);
        buffer.Release();
        Assert.Throws<ObjectDisposedException>(buffer.Release);
        Assert.Throws<ObjectDisposedException>(() => buffer.Retain());
    }

    [Fact]
    public void Constant_bytes_are_sent_by_any_number_of_buffers_and_written_by_none()
    {
        var pool = new BufferPool();
        var bytes = new ConstantBytes(1000, static span =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = (byte)i;
        });
        var first = pool.Rent(bytes, 10, 20);
        var second = pool.Rent(bytes, 0, 1000);
        Assert.Equal((20, 0, 0, 0), (first.Length, first.Headroom, first.Tailroom, first.Capacity));
        Assert.Equal(Enumerable.Range(10, 20).Select(static i => (byte)i), first.Span.ToArray());
        first.TrimStart(5);
        Assert.Equal((15, 0, (byte)15), (first.Length, first.Headroom, first.Span[0]));
        Assert.Throws<InvalidOperationException>(() => { _ = first.Prepend(1); });
        Assert.Throws<InvalidOperationException>(() => { _ = first.Append(1); });

        var frame = pool.Rent(10, 10);
        frame.AddFragment(second, 990, 10);
        second.Release();
        Assert.Equal((byte)(999 & 0xFF), frame.GetFragment(0)[9]);
        frame.Release();
        first.Release();
        Assert.Equal(0, pool.Rented);
    }

    [Theory]
    [InlineData(0, 101)]
    [InlineData(101, 0)]
    [InlineData(-1, 1)]
    [InlineData(90, 11)]
    public void A_range_outside_the_constant_bytes_is_refused(int offset, int count)
    {
        var pool = new BufferPool();
        var bytes = new ConstantBytes(100, static _ => { });
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Rent(bytes, offset, count));
        Assert.Equal(0, pool.Rented);
    }

    [Fact]
    public void A_buffer_for_constant_bytes_that_came_back_is_used_again()
    {
        var pool = new BufferPool();
        var bytes = new ConstantBytes(100, static _ => { });
        var first = pool.Rent(bytes, 0, 10);
        first.Release();
        Assert.Same(first, pool.Rent(bytes, 50, 10));
        first.Release();
    }
}
