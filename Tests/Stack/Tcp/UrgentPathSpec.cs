using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Urgent data over a bad path, with a reader that is slow and a device that cuts segments.</summary>
public class UrgentPathSpec
{
    public static IEnumerable<object[]> Seeds => Enumerable.Range(1, 25).Select(seed => new object[] { seed });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_reader_learns_of_every_last_mark_and_of_none_that_was_not_set(int seed)
    {
        var random = new Random(seed);
        var world = new SimWorld(seed, new Impairments
        {
            Latency = TimeSpan.FromMilliseconds(random.Next(1, 40)), Loss = random.NextDouble() * 0.1, Reorder = random.NextDouble() * 0.2,
            Duplicate = random.NextDouble() * 0.1, Corrupt = random.NextDouble() * 0.05,
        });
        world.Left.SuperFrame = random.Next(2) == 0 ? 65535 : 1500;
        world.Listen(new TcpSocketOptions { ReceiveBuffer = random.Next(2048, 60_000) });
        var sender = world.Connect(new TcpSocketOptions { SendBuffer = random.Next(2048, 60_000) });
        TcpSocket? receiver = null;
        var marks = new SortedSet<long>();
        var heard = 0L;
        var (written, read) = (0L, 0L);

        void Look()
        {
            if (receiver!.UrgentMark == 0)
                return;
            var mark = read + receiver.UrgentMark;
            Assert.Contains(mark, marks);
            Assert.True(mark >= heard, "The mark went back.");
            heard = mark;
        }

        void Work(TimeSpan time) => world.Run(time, host =>
        {
            while (host.Events.TryDequeue(out var socket, out var events))
            {
                if (socket is TcpListener listener)
                    receiver = listener.Accept();
                else if (socket == receiver && events.HasFlag(SocketEvents.Urgent))
                    Look();
            }
        });

        for (var round = 0; round < 300 || read < written; round++)
        {
            Assert.True(round < 100_000, $"{read} of {written} bytes have come.");
            var size = Math.Min(random.Next(1, 4000), sender.SendRoom);
            if (round < 300 && size > 0)
            {
                var buffer = world.Left.Pool.Rent(size);
                buffer.Append(size).Clear();
                var urgent = random.Next(5) == 0;
                Assert.Equal(StackError.None, sender.Write(buffer, world.Now, urgent));
                written += size;
                if (urgent)
                    marks.Add(written);
            }

            Work(TimeSpan.FromMilliseconds(random.Next(60)));
            if (receiver is null || random.Next(3) == 0)
                continue;
            Look();
            PacketBuffer.ReleaseChain(receiver.Read(out var bytes, out _));
            receiver.Consumed(bytes, world.Now);
            read += bytes;
            Look();
        }

        Assert.Equal(marks.Max, heard);
        Assert.Equal((0, written), (receiver!.UrgentMark, read));
        sender.Abort(world.Now);
        receiver.Abort(world.Now);
        world.Listener!.Close(world.Now);
        Work(TimeSpan.FromSeconds(1));
        world.AssertNoLeak();
    }
}
