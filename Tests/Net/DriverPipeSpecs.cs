using System.Buffers;
using System.IO.Pipelines;
using Xunit;

namespace Tapwire.Tests.Net;

/// <summary>The pipes of a connection, which lie in the stack's own buffers.</summary>
public sealed class DriverPipeSpecs : NetworkSetup
{
    [Fact]
    public void What_is_read_piece_by_piece_is_what_was_sent()
    {
        var (stream, peer) = OpenConnected();
        var input = stream.AsDuplexPipe().Input;
        var sent = Pattern(3 << 20);
        var got = new List<byte>(sent.Length);
        var at = 0;
        for (var step = 1; got.Count < sent.Length; step = step * 7 % 50_021)
        {
            for (; at < sent.Length && peer.SendRoom >= 65536; at += 65536)
                Peer.Send(peer, sent.AsSpan(at, Math.Min(65536, sent.Length - at)));
            var read = Await(input.ReadAsync().AsTask());
            var part = read.Buffer.Slice(0, Math.Min(step, read.Buffer.Length));
            got.AddRange(part.ToArray());
            input.AdvanceTo(part.End);
        }

        Assert.True(sent.AsSpan().SequenceEqual(got.ToArray()));
        input.Complete();
        stream.Dispose();
    }

    [Fact]
    public void A_reader_that_only_examines_gets_more_than_a_window()
    {
        var (stream, peer) = OpenConnected(new TapwireConnectOptions { ReceiveBufferSize = 64 << 10 });
        var input = stream.AsDuplexPipe().Input;
        var sent = Pattern(1 << 20);
        var at = 0;
        while (true)
        {
            for (; at < sent.Length && peer.SendRoom >= 65536; at += 65536)
                Peer.Send(peer, sent.AsSpan(at, 65536));
            var read = Await(input.ReadAsync().AsTask());
            if (read.Buffer.Length == sent.Length)
            {
                Assert.Equal(sent, read.Buffer.ToArray());
                input.AdvanceTo(read.Buffer.End);
                break;
            }

            input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }

        input.Complete();
        stream.Dispose();
    }

    [Fact]
    public void A_read_can_be_cancelled_in_both_ways_and_goes_on()
    {
        var (stream, peer) = OpenConnected();
        var input = stream.AsDuplexPipe().Input;
        var reading = input.ReadAsync().AsTask();
        input.CancelPendingRead();
        var canceled = Await(reading);
        Assert.True(canceled.IsCanceled && canceled.Buffer.IsEmpty);
        input.AdvanceTo(canceled.Buffer.Start);
        using var cancel = new CancellationTokenSource();
        reading = input.ReadAsync(cancel.Token).AsTask();
        cancel.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Await(reading));
        Peer.Send(peer, "on"u8);
        var read = Await(input.ReadAsync().AsTask());
        Assert.Equal("on"u8.ToArray(), read.Buffer.ToArray());
        input.AdvanceTo(read.Buffer.End);
        peer.ShutdownSend(Peer.Now);
        Assert.True(Await(input.ReadAsync().AsTask()).IsCompleted);
        Assert.Throws<InvalidOperationException>(() =>
        {
            input.Complete();
            input.TryRead(out _);
        });
        stream.Dispose();
    }

    [Fact]
    public void What_is_written_in_all_sizes_arrives_whole_and_waits_for_the_peer()
    {
        var (stream, peer) = OpenConnected();
        var output = stream.AsDuplexPipe().Output;
        var sent = Pattern(4 << 20);
        var at = 0;
        for (var step = 1; at < sent.Length; step = step * 5 % 200_003)
        {
            var part = sent.AsSpan(at, Math.Min(step, sent.Length - at));
            part.CopyTo(output.GetSpan(part.Length));
            output.Advance(part.Length);
            at += part.Length;
            if (step % 3 == 0)
                Assert.False(Await(output.FlushAsync().AsTask()).IsCompleted);
        }

        Await(output.CompleteAsync().AsTask());
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        Assert.True(sent.AsSpan().SequenceEqual(Peer.Received(peer)));
        stream.Dispose();
    }

    [Fact]
    public void A_flush_to_a_connection_that_was_reset_says_that_nobody_reads()
    {
        var (stream, peer) = OpenConnected();
        var pipe = stream.AsDuplexPipe();
        peer.Abort(Peer.Now);
        Run();
        var flushed = Await(pipe.Output.WriteAsync(new byte[10]).AsTask());
        Assert.True(flushed.IsCompleted);
        Assert.Throws<IOException>(() => Await(pipe.Input.ReadAsync().AsTask()));
        RunUntil(() => stream.ReceiveEnded.IsCancellationRequested);
        pipe.Input.Complete();
        pipe.Output.Complete();
        stream.Dispose();
    }
}
