using System.Net;
using System.Net.Sockets;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Net;

public sealed class DriverStreamSpecs : NetworkSetup
{
    [Fact]
    public void Bytes_and_the_ends_of_both_directions_pass()
    {
        var (stream, peer) = OpenConnected();
        Assert.Equal(PeerEnd, stream.RemoteEndPoint);
        Assert.Equal(IPAddress.Parse("10.99.0.2"), stream.LocalEndPoint.Address);
        Await(stream.WriteAsync("question"u8.ToArray()).AsTask());
        stream.Shutdown(SocketShutdown.Send);
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        Assert.Equal("question"u8.ToArray(), Peer.Received(peer));
        Peer.Send(peer, "answer"u8);
        peer.ShutdownSend(Peer.Now);
        Assert.Equal("answer"u8.ToArray(), ReadAll(stream, 6));
        Assert.Equal(0, Await(stream.ReadAsync(new byte[1]).AsTask()));
        Assert.Equal(0, Await(stream.ReadAsync(new byte[1]).AsTask()));
        var late = Assert.Throws<IOException>(() => Await(stream.WriteAsync(new byte[1]).AsTask()));
        Assert.Equal(SocketError.Shutdown, Assert.IsType<SocketException>(late.InnerException).SocketErrorCode);
        stream.Dispose();
        RunUntil(() => StackStatus().ConnectionCount <= 1);
    }

    [Fact]
    public void What_the_program_does_not_read_closes_the_window_and_comes_whole_later()
    {
        var (stream, peer) = OpenConnected(new TapwireConnectOptions { ReceiveBufferSize = 256 << 10 });
        var sent = Pattern(4 << 20);
        var at = 0;
        for (var rounds = 0; rounds < 200; rounds++)
        {
            for (; at < sent.Length && peer.SendRoom >= 16384; at += 16384)
                Peer.Send(peer, sent.AsSpan(at, 16384));
            Advance(TimeSpan.FromMilliseconds(10));
        }

        // What has arrived and the peer's own buffer, and no more.
        Assert.InRange(at, 200 << 10, 3 << 20);
        var held = Pool.Rented;
        Assert.InRange(held, 1, 600);
        var all = new byte[sent.Length];
        for (var read = 0; read < all.Length;)
        {
            for (; at < sent.Length && peer.SendRoom >= 16384; at += 16384)
                Peer.Send(peer, sent.AsSpan(at, 16384));
            read += Await(stream.ReadAsync(all.AsMemory(read, Math.Min(10_007, all.Length - read))).AsTask());
        }

        Assert.True(all.AsSpan().SequenceEqual(sent));
        stream.Dispose();
    }

    [Fact]
    public void A_write_waits_while_the_peer_does_not_read()
    {
        var (stream, peer) = OpenConnected();
        Peer.NotReading.Add(peer);
        var sent = Pattern(8 << 20);
        var writing = stream.WriteAsync(sent).AsTask();
        RunUntil(() => Pool.Rented > 0);
        Assert.False(writing.IsCompleted);
        Assert.InRange(Pool.Rented, 1, 2000);
        Peer.NotReading.Clear();
        Peer.ReadAll(peer);
        Await(writing);
        RunUntil(() => Peer.ReceivedCount(peer) == sent.Length);
        Assert.True(Peer.Received(peer).AsSpan().SequenceEqual(sent));
        stream.Dispose();
    }

    [Fact]
    public void A_cancelled_read_loses_no_bytes()
    {
        var (stream, peer) = OpenConnected();
        using var cancel = new CancellationTokenSource();
        var reading = stream.ReadAsync(new byte[100], cancel.Token).AsTask();
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(reading));
        Peer.Send(peer, "here"u8);
        Assert.Equal("here"u8.ToArray(), ReadAll(stream, 4));
        stream.Dispose();
    }

    [Fact]
    public void A_cancelled_write_leaves_the_stream_usable()
    {
        var (stream, peer) = OpenConnected();
        Peer.NotReading.Add(peer);
        using var cancel = new CancellationTokenSource();
        var writing = stream.WriteAsync(new byte[8 << 20], cancel.Token).AsTask();
        Advance(TimeSpan.FromSeconds(1));
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(writing));
        Peer.NotReading.Clear();
        Peer.ReadAll(peer);
        Advance(TimeSpan.FromSeconds(5));
        var before = Peer.ReceivedCount(peer);
        Await(stream.WriteAsync("more"u8.ToArray()).AsTask());
        RunUntil(() => Peer.ReceivedCount(peer) == before + 4);
        stream.Dispose();
    }

    [Fact]
    public void One_read_and_one_write_at_a_time()
    {
        var (stream, peer) = OpenConnected();
        Peer.NotReading.Add(peer);
        var reading = stream.ReadAsync(new byte[1]).AsTask();
        Assert.Throws<InvalidOperationException>(() => { _ = stream.ReadAsync(new byte[1]); });
        var writing = stream.WriteAsync(new byte[8 << 20]).AsTask();
        Assert.Throws<InvalidOperationException>(() => { _ = stream.WriteAsync(new byte[1]); });
        stream.Dispose();
        Assert.Equal(SocketError.OperationAborted, ErrorOf(() => Await(reading)));
        Assert.Equal(SocketError.OperationAborted, ErrorOf(() => Await(writing)));
        Assert.Throws<ObjectDisposedException>(() => { _ = stream.ReadAsync(new byte[1]); });
        Assert.Throws<ObjectDisposedException>(() => { _ = stream.WriteAsync(new byte[1]); });
    }

    /// <summary>The stack is told in lots of what the program has taken. What it was not told of when the stream was disposed counted as unread, and reset the connection, with the answer under way.</summary>
    [Fact]
    public void Disposing_after_all_has_been_read_ends_the_connection_in_order()
    {
        var (stream, peer) = OpenConnected();
        Peer.Send(peer, Pattern(1000));
        Assert.Equal(Pattern(1000), ReadAll(stream, 1000));
        Await(stream.WriteAsync(Pattern(100)).AsTask());
        stream.Dispose();
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        Assert.Equal(Pattern(100), Peer.Received(peer));
        Assert.Equal(Tapwire.Stack.StackError.None, peer.Error);
    }

    [Fact]
    public void Disposing_with_bytes_unread_resets_the_connection()
    {
        var (stream, peer) = OpenConnected();
        Peer.Send(peer, "unread"u8);
        Run();
        stream.Dispose();
        RunUntil(() => Peer.Ended.Contains(peer));
        Assert.Equal(Tapwire.Stack.StackError.ConnectionReset, peer.Error);
    }

    [Fact]
    public void A_linger_time_of_zero_resets_the_connection()
    {
        var (stream, peer) = OpenConnected();
        stream.LingerState = new LingerOption(true, 0);
        stream.Dispose();
        RunUntil(() => Peer.Ended.Contains(peer));
        Assert.Equal(Tapwire.Stack.StackError.ConnectionReset, peer.Error);
    }

    [Fact]
    public void What_came_before_a_reset_is_read_before_it()
    {
        var (stream, peer) = OpenConnected();
        Peer.Send(peer, "last words"u8);
        Run();
        peer.Abort(Peer.Now);
        Run();
        Assert.Equal("last words"u8.ToArray(), ReadAll(stream, 10));
        Assert.Equal(SocketError.ConnectionReset, ErrorOf(() => Await(stream.ReadAsync(new byte[1]).AsTask())));
        Assert.Equal(SocketError.ConnectionReset, ErrorOf(() => Await(stream.WriteAsync(new byte[1]).AsTask())));
        stream.Dispose();
    }

    [Fact]
    public void A_refused_connect_says_so()
    {
        var e = Assert.Throws<SocketException>(() => Await(Network.ConnectAsync(PeerEnd)));
        Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
    }

    [Fact]
    public void A_cancelled_connect_leaves_nothing()
    {
        Peer.Loses = static _ => true;
        using var cancel = new CancellationTokenSource();
        var connecting = Network.ConnectAsync(PeerEnd, cancel.Token);
        Run();
        Assert.Equal(1, StackStatus().ConnectionCount);
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(connecting));
        RunUntil(() => StackStatus().ConnectionCount == 0);
        Peer.Loses = static _ => false;
    }

    [Fact]
    public void Options_are_properties()
    {
        var (stream, _) = OpenConnected(new TapwireConnectOptions { NoDelay = true, CongestionControl = "bbr" });
        Assert.True(stream.NoDelay);
        Assert.Equal("bbr", stream.CongestionControl);
        stream.NoDelay = false;
        stream.KeepAlive = true;
        stream.KeepAliveTime = TimeSpan.FromSeconds(30);
        stream.KeepAliveInterval = TimeSpan.FromSeconds(5);
        stream.KeepAliveRetryCount = 4;
        stream.UserTimeout = TimeSpan.FromSeconds(20);
        stream.ReceiveBufferSize = 100_000;
        stream.SendBufferSize = 500_000;
        stream.LingerState = new LingerOption(true, 7);
        stream.CongestionControl = "reno";
        Assert.Equal((false, true, 30.0, 5.0, 4, 20.0, 100_000, 500_000, "reno"), (stream.NoDelay, stream.KeepAlive, stream.KeepAliveTime.TotalSeconds, stream.KeepAliveInterval.TotalSeconds,
            stream.KeepAliveRetryCount, stream.UserTimeout.TotalSeconds, stream.ReceiveBufferSize, stream.SendBufferSize, stream.CongestionControl));
        Assert.Equal((true, 7), (stream.LingerState.Enabled, stream.LingerState.LingerTime));
        Assert.Equal(SocketError.InvalidArgument, Assert.Throws<SocketException>(() => stream.KeepAliveRetryCount = 500).SocketErrorCode);
        Assert.Equal(SocketError.ProtocolOption, Assert.Throws<SocketException>(() => stream.SetOption(1, 9999, 1)).SocketErrorCode);
        stream.Dispose();
    }

    [Fact]
    public void A_peer_that_vanishes_ends_the_connection_after_the_user_timeout()
    {
        var (stream, _) = OpenConnected();
        stream.UserTimeout = TimeSpan.FromSeconds(5);
        Peer.Loses = static _ => true;
        Await(stream.WriteAsync(new byte[100]).AsTask());
        var reading = stream.ReadAsync(new byte[1]).AsTask();
        Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(SocketError.TimedOut, ErrorOf(() => Await(reading)));
        Peer.Loses = static _ => false;
        stream.Dispose();
    }

    [Fact]
    public void A_blocking_read_has_a_time_limit()
    {
        var (stream, peer) = OpenConnected();
        stream.ReadTimeout = 1;
        Assert.Equal(SocketError.TimedOut, ErrorOf(() => stream.ReadExactly(new byte[1])));
        Peer.Send(peer, "x"u8);
        Run();
        Assert.Equal('x', stream.ReadByte());
        stream.Dispose();
    }

    [Fact]
    public void The_pipes_of_a_stream_carry_both_directions()
    {
        var (stream, peer) = OpenConnected();
        var pipe = stream.AsDuplexPipe();
        Await(pipe.Output.WriteAsync("by pipe"u8.ToArray()).AsTask());
        RunUntil(() => Peer.ReceivedCount(peer) == 7);
        Peer.Send(peer, "and back"u8);
        var read = Await(pipe.Input.ReadAtLeastAsync(8).AsTask());
        Assert.Equal("and back"u8.ToArray(), System.Buffers.BuffersExtensions.ToArray(read.Buffer));
        pipe.Input.AdvanceTo(read.Buffer.End);
        pipe.Output.Complete();
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        pipe.Input.Complete();
        stream.Dispose();
    }

    [Fact]
    public void The_end_of_the_driver_fails_what_waits()
    {
        var (stream, _) = OpenConnected();
        var reading = stream.ReadAsync(new byte[1]).AsTask();
        StopDriver();
        RunUntil(() => reading.IsCompleted);
        Assert.Contains(ErrorOf(() => Await(reading)), (SocketError[])[SocketError.NetworkDown, SocketError.ConnectionAborted]);
        RunUntil(() => Network.Ended.IsCompleted);
        Assert.Equal(SocketError.NetworkDown, Assert.Throws<SocketException>(() => Await(Network.ConnectAsync(PeerEnd))).SocketErrorCode);
    }

    [Fact]
    public void Reading_and_writing_allocate_nothing()
    {
        var (stream, peer) = OpenConnected();
        var bytes = new byte[1000];
        long least = long.MaxValue;
        for (var round = 0; round < 20; round++)
        {
            Peer.Send(peer, bytes);
            Advance(TimeSpan.FromMilliseconds(200));
            var before = GC.GetAllocatedBytesForCurrentThread();
            var read = stream.ReadAsync(bytes);
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(read.IsCompletedSuccessfully);
            Assert.Equal(1000, Await(read.AsTask()));
            least = Math.Min(least, allocated);
        }

        Assert.Equal(0, least);
        stream.Dispose();
    }

    private static SocketError ErrorOf(Action action) => Assert.IsType<SocketException>(Assert.Throws<IOException>(action).InnerException).SocketErrorCode;
}
