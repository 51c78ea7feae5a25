using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Links.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class StreamLinkSpecs : IDisposable
{
    private readonly BufferPool _pool = new();
    private readonly StreamLink _link;
    private readonly Socket _app;

    public StreamLinkSpecs()
    {
        _link = StreamLink.Create(out var end);
        _app = AppSocket.Open(end);
    }

    public void Dispose()
    {
        _link.Dispose();
        _app.Dispose();
        Assert.Equal(0, _pool.Rented);
    }

    [Fact]
    public void Nothing_is_read_from_an_application_that_has_written_nothing()
    {
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 1000, out var data));
        Assert.Null(data);
        Assert.Equal(ReadResult.Empty, _link.State());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(2048)]
    [InlineData(65_536)]
    [InlineData(100_000)]
    public void What_the_application_writes_is_read_once_and_in_order(int length)
    {
        var sent = Bytes.Pattern(length);
        for (var round = 0; round < 3; round++)
        {
            Assert.Equal(length, _app.Send(sent));
            var (data, end) = _link.Drain(_pool);
            Assert.Equal(sent, data);
            Assert.Equal(ReadResult.Empty, end);
        }
    }

    [Fact]
    public void Every_size_of_read_meets_every_size_of_write()
    {
        var random = new Random(7);
        var sent = new MemoryStream();
        var got = new MemoryStream();
        for (var i = 0; i < 3000; i++)
        {
            var piece = Bytes.Pattern(random.Next(1, 300), i);
            Assert.Equal(piece.Length, _app.Send(piece));
            sent.Write(piece);
            for (var reads = random.Next(0, 3); reads > 0 && _link.Read(_pool, random.Next(1, 400), out var buffer) == ReadResult.Data; reads--)
            {
                got.Write(buffer!.Span);
                buffer.Release();
            }

            if (sent.Length - got.Length > 20_000)
                got.Write(_link.Drain(_pool, random.Next(1, 5000)).Data);
        }

        got.Write(_link.Drain(_pool).Data);
        Assert.Equal(sent.ToArray(), got.ToArray());
    }

    [Fact]
    public void A_read_takes_no_more_than_its_credit()
    {
        _app.Send(new byte[5000]);
        Assert.Equal(ReadResult.Data, _link.Read(_pool, 1234, out var data));
        Assert.Equal(1234, data!.Length);
        data.Release();
        Assert.Equal(5000 - 1234, _link.Drain(_pool).Data.Length);
    }

    [Fact]
    public void The_applications_shutdown_is_end_of_stream_after_its_last_byte()
    {
        _app.Send(Bytes.Pattern(10));
        _app.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, _link.State());
        var (data, end) = _link.Drain(_pool);
        Assert.Equal(Bytes.Pattern(10), data);
        Assert.Equal(ReadResult.EndOfStream, end);
        // And the other direction goes on.
        var chain = _pool.Chain(Bytes.Pattern(99, 2), 50);
        Assert.Equal(WriteResult.Done, _link.Write(ref chain, out _));
        Assert.Equal(Bytes.Pattern(99, 2), _app.ReadAll());
    }

    [Fact]
    public void An_end_reported_together_with_the_last_bytes_is_found_without_another_report()
    {
        var reactor = new ManualReactor();
        _link.Start(reactor, Readiness.Readable, _ => { });
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 10, out _));
        _app.Send(Bytes.Pattern(3));
        _app.Shutdown(SocketShutdown.Send);
        reactor.Report(Readiness.Readable | Readiness.HangUp);
        var (data, end) = _link.Drain(_pool);
        Assert.Equal(Bytes.Pattern(3), data);
        Assert.Equal(ReadResult.EndOfStream, end);
    }

    [Fact]
    public void After_everything_is_taken_only_a_report_makes_the_link_look_again()
    {
        var reactor = new ManualReactor();
        _link.Start(reactor, Readiness.Readable, _ => { });
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 10, out _));
        _app.Send([1]);
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 10, out _));
        reactor.Report(Readiness.Readable);
        Assert.Equal([1], _link.Drain(_pool).Data);
        _app.Send(new byte[3000]);
        reactor.Report(Readiness.Readable);
        Assert.Equal(ReadResult.Data, _link.Read(_pool, 1000, out var first));
        first!.Release();
        Assert.Equal(2000, _link.Drain(_pool).Data.Length);
        _app.Close();
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 10, out _));
        reactor.Report(Readiness.HangUp);
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 10, out _));
    }

    [Fact]
    public void A_link_ends_its_registration_before_its_descriptor_and_only_once()
    {
        var reactor = new ManualReactor();
        _link.Start(reactor, Readiness.Readable, _ => { });
        Assert.Throws<InvalidOperationException>(() => _link.Start(reactor, Readiness.Readable, _ => { }));
        _link.SetInterest(Readiness.Writable);
        Assert.Equal(Readiness.Writable, reactor.Interest);
        _link.Dispose();
        _link.Dispose();
        Assert.Equal(1, reactor.Disposals);
        Assert.True(_link.IsClosed);
        Assert.Throws<ObjectDisposedException>(() => _link.Read(_pool, 1, out _));
    }

    [Fact]
    public void A_shutdown_without_any_data_is_end_of_stream()
    {
        _app.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, _link.Read(_pool, 10, out _));
    }

    [Fact]
    public void The_applications_close_is_seen_after_its_last_byte()
    {
        _app.Send(Bytes.Pattern(3000));
        _app.Close();
        Assert.Equal(ReadResult.Closed, _link.State());
        var (data, end) = _link.Drain(_pool, 100);
        Assert.Equal(Bytes.Pattern(3000), data);
        Assert.Equal(ReadResult.Closed, end);
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 10, out _));
    }

    [Fact]
    public void A_shutdown_of_both_directions_is_a_close()
    {
        _app.Shutdown(SocketShutdown.Both);
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 10, out _));
    }

    [Fact]
    public void A_close_with_unread_bytes_is_a_reset_known_before_and_after_the_last_byte()
    {
        var chain = _pool.Chain(new byte[10], 10);
        _link.Write(ref chain, out _);
        _app.Send(Bytes.Pattern(3000));
        _app.Close();
        Assert.Equal(ReadResult.Reset, _link.State());
        Assert.Equal(ReadResult.Reset, _link.State());
        Assert.Equal(ReadResult.Reset, _link.Read(_pool, 10, out _));
    }

    [Fact]
    public void A_reset_by_the_application_is_seen_after_its_last_byte_by_who_only_reads()
    {
        var chain = _pool.Chain(new byte[10], 10);
        _link.Write(ref chain, out _);
        _app.Send(Bytes.Pattern(3000));
        _app.Close();
        var (data, end) = _link.Drain(_pool);
        Assert.Equal(Bytes.Pattern(3000), data);
        Assert.Equal(ReadResult.Reset, end);
    }

    [Fact]
    public void An_application_that_reads_no_more_is_told_to_the_writer()
    {
        _app.Shutdown(SocketShutdown.Receive);
        Assert.Equal(ReadResult.Empty, _link.State());
        var chain = _pool.Chain(new byte[10], 10);
        Assert.Equal(WriteResult.Closed, _link.Write(ref chain, out var written));
        Assert.Equal(0, written);
        PacketBuffer.ReleaseChain(chain);
        _app.Send(new byte[5]);
        Assert.Equal(5, _link.Drain(_pool).Data.Length);
    }

    [Fact]
    public void A_write_to_an_application_that_has_closed_is_refused()
    {
        _app.Close();
        var chain = _pool.Chain(new byte[10], 10);
        Assert.Equal(WriteResult.Closed, _link.Write(ref chain, out _));
        PacketBuffer.ReleaseChain(chain);
    }

    [Fact]
    public void End_of_stream_comes_after_the_last_byte_and_leaves_the_other_direction_open()
    {
        var chain = _pool.Chain(Bytes.Pattern(70_000), 1460);
        Assert.Equal(WriteResult.Done, _link.Write(ref chain, out var written));
        Assert.Equal(70_000, written);
        _link.EndOfStream();
        Assert.Equal(Bytes.Pattern(70_000), _app.ReadAll());
        Assert.Null(_app.TryRead());
        _app.Send(new byte[7]);
        Assert.Equal(7, _link.Drain(_pool).Data.Length);
    }

    public static TheoryData<int> AmountsReadBeforeReset => [0, 1, 2, 3000];

    [Theory]
    [MemberData(nameof(AmountsReadBeforeReset))]
    public void A_reset_reaches_the_application_after_what_is_queued(int readBefore)
    {
        if (readBefore > 0)
        {
            _app.Send(new byte[readBefore]);
            Assert.Equal(readBefore, _link.Drain(_pool).Data.Length);
        }

        var chain = _pool.Chain(Bytes.Pattern(100), 100);
        _link.Write(ref chain, out _);
        _link.Reset();
        Assert.True(_app.Poll(0, SelectMode.SelectRead));
        Assert.Equal(Bytes.Pattern(100), ReadExactly(100));
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
        Assert.Null(_app.TryRead());
    }

    [Fact]
    public void A_reset_reaches_an_application_that_has_shut_down_its_sending_side()
    {
        _app.Send(new byte[10]);
        _app.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, _link.Drain(_pool).End);
        _link.Reset();
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
    }

    [Fact]
    public void A_reset_after_end_of_stream_reaches_the_application_too()
    {
        _link.EndOfStream();
        Assert.Null(_app.TryRead());
        _link.Reset();
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
    }

    [Fact]
    public void A_reset_with_bytes_of_the_application_unread_is_a_reset()
    {
        _app.Send(new byte[10_000]);
        _link.Read(_pool, 100, out var data);
        data!.Release();
        _link.Reset();
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(5000)]
    public void An_orderly_close_is_end_of_file(int readBefore)
    {
        if (readBefore > 0)
        {
            _app.Send(new byte[readBefore]);
            _link.Drain(_pool);
        }

        var chain = _pool.Chain(Bytes.Pattern(100), 100);
        _link.Write(ref chain, out _);
        _link.Dispose();
        Assert.Equal(Bytes.Pattern(100), _app.ReadAll());
        Assert.Null(_app.TryRead());
    }

    [Fact]
    public void A_close_that_loses_bytes_of_the_application_tells_it()
    {
        _app.Send(new byte[10]);
        _link.Dispose();
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
    }

    [Fact]
    public void Filler_of_a_connecting_application_is_never_delivered()
    {
        var filler = _app.WriteUntilFull(new byte[1 << 20]);
        Assert.False(_app.Poll(0, SelectMode.SelectWrite));
        _link.Discard((uint)filler);
        Assert.True(_app.Poll(0, SelectMode.SelectWrite));
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 10, out _));
        _app.Send(Bytes.Pattern(300));
        Assert.Equal(Bytes.Pattern(300), _link.Drain(_pool).Data);
    }

    [Theory]
    [InlineData(0u, 100)]
    [InlineData(1u, 99)]
    [InlineData(40u, 60)]
    [InlineData(100u, 0)]
    [InlineData(uint.MaxValue, 0)]
    public void Discard_takes_exactly_what_it_is_told(uint count, int left)
    {
        _app.Send(Bytes.Pattern(100));
        _link.Discard(count);
        Assert.Equal(Bytes.Pattern(100)[(100 - left)..], _link.Drain(_pool).Data);
    }

    [Fact]
    public void An_application_that_does_not_read_gets_no_more_than_its_buffer_and_then_the_rest_in_order()
    {
        var sent = Bytes.Pattern(3_000_000);
        var chain = _pool.Chain(sent, 60_000);
        Assert.Equal(WriteResult.Full, _link.Write(ref chain, out var written));
        Assert.InRange(written, 100_000, 1_000_000);
        var got = new MemoryStream();
        for (var total = written; ; total += written)
        {
            got.Write(_app.ReadAll());
            if (chain is null)
            {
                Assert.Equal(sent.Length, total);
                break;
            }

            _link.Write(ref chain, out written);
        }

        got.Write(_app.ReadAll());
        Assert.Equal(sent, got.ToArray());
    }

    [Fact]
    public void An_application_that_writes_while_nobody_reads_meets_its_buffers_end_and_loses_nothing()
    {
        var sent = Bytes.Pattern(3_000_000);
        var taken = _app.WriteUntilFull(sent);
        Assert.InRange(taken, 100_000, 1_000_000);
        var got = new MemoryStream();
        while (got.Length < sent.Length)
        {
            got.Write(_link.Drain(_pool).Data);
            if (taken < sent.Length)
                taken += _app.WriteUntilFull(sent[taken..]);
        }

        Assert.Equal(sent, got.ToArray());
        // The byte that is kept back does not make the application's descriptor look full.
        Assert.True(_app.Poll(0, SelectMode.SelectWrite));
    }

    [Fact]
    public void A_chain_with_fragments_is_written_whole()
    {
        var sent = Bytes.Pattern(900_000);
        var got = new MemoryStream();
        PacketBuffer? chain = null;
        for (var at = 0; at < sent.Length; at += 60_000)
        {
            var source = _pool.Chain(sent[at..(at + 60_000)], 60_000)!;
            var frame = _pool.Rent(256);
            source.Span[..100].CopyTo(frame.Append(100));
            frame.AddFragment(source, 100, 29_900);
            frame.AddFragment(source, 30_000, 30_000);
            source.Release();
            frame.Next = chain;
            chain = frame;
        }

        // Linked back to front above: bring it in order.
        PacketBuffer? ordered = null;
        while (chain is not null)
        {
            var next = chain.Next;
            chain.Next = ordered;
            ordered = chain;
            chain = next;
        }

        while (ordered is not null)
        {
            _link.Write(ref ordered, out _);
            got.Write(_app.ReadAll());
        }

        Assert.Equal(sent, got.ToArray());
    }

    [Fact]
    public void Descriptors_and_urgent_bytes_among_the_data_do_no_harm()
    {
        _app.Send(Bytes.Pattern(10));
        _app.Send([42], SocketFlags.OutOfBand);
        _app.Send(Bytes.Pattern(10, 2));
        var (data, end) = _link.Drain(_pool);
        Assert.Equal([.. Bytes.Pattern(10), 42, .. Bytes.Pattern(10, 2)], data);
        Assert.Equal(ReadResult.Empty, end);
    }

    [Fact]
    public void A_pair_has_one_handle_of_its_own()
    {
        using var other = StreamLink.Create(out var end);
        Assert.NotEqual(_link.Handle, end.Handle);
        Assert.Equal(other.Handle, end.Handle);
        end.Dispose();
        Assert.Equal(ReadResult.Closed, other.Read(_pool, 1, out _));
    }

    private byte[] ReadExactly(int count)
    {
        var bytes = new byte[count];
        Assert.Equal(count, _app.Receive(bytes));
        return bytes;
    }
}
