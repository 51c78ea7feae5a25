using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class DatagramLinkSpecs : IDisposable
{
    private static readonly Sockaddr Peer = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), 53));

    private readonly BufferPool _pool = new();
    private readonly DatagramLink _link;
    private readonly Socket _app;

    public DatagramLinkSpecs()
    {
        _link = DatagramLink.Create(out var end);
        _app = AppSocket.Open(end);
    }

    public void Dispose()
    {
        _link.Dispose();
        _app.Dispose();
        Assert.Equal(0, _pool.Rented);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1200)]
    [InlineData(1472)]
    [InlineData(1473)]
    [InlineData(1920)]
    [InlineData(1921)]
    [InlineData(8000)]
    [InlineData(65_507)]
    [InlineData(65_535)]
    public void A_datagram_keeps_its_bytes_and_destination_on_the_way_out(int length)
    {
        Assert.Equal(28 + length, _app.Send(Message(Peer, Bytes.Pattern(length))));
        Assert.Equal(ReadResult.Data, _link.Read(_pool, 128, out var payload, out var to));
        Assert.Equal(Bytes.Pattern(length), payload!.Span.ToArray());
        Assert.Equal(128, payload.Headroom);
        Assert.Equal(Peer, to);
        payload.Release();
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 128, out _, out _));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1472)]
    [InlineData(65_507)]
    [InlineData(65_535)]
    public void A_datagram_keeps_its_bytes_and_sender_on_the_way_in(int length)
    {
        var payload = _pool.Rent(length);
        Bytes.Pattern(length).CopyTo(payload.Append(length));
        Assert.Equal(WriteResult.Done, _link.Write(payload, Peer));
        payload.Release();
        var buffer = new byte[70_000];
        Assert.Equal(28 + length, _app.Receive(buffer));
        Assert.Equal(Message(Peer, Bytes.Pattern(length)), buffer[..(28 + length)]);
    }

    [Fact]
    public void A_payload_of_fragments_arrives_as_one_datagram()
    {
        var source = _pool.Chain(Bytes.Pattern(6000), 6000)!;
        var payload = _pool.Rent(0);
        for (var at = 0; at < 6000; at += 1500)
            payload.AddFragment(source, at, 1500);
        source.Release();
        Assert.Equal(WriteResult.Done, _link.Write(payload, Peer));
        payload.Release();
        var buffer = new byte[70_000];
        Assert.Equal(6028, _app.Receive(buffer));
        Assert.Equal(Bytes.Pattern(6000), buffer[28..6028]);
    }

    [Fact]
    public void Two_datagrams_sent_back_to_back_stay_two()
    {
        _app.Send(Message(Peer, [1, 2]));
        _app.Send(Message(Sockaddr.None, [3]));
        Assert.Equal([1, 2], ReadOne(out var first));
        Assert.Equal([3], ReadOne(out var second));
        Assert.Equal(Peer, first);
        Assert.Equal(Sockaddr.None, second);
    }

    [Fact]
    public void A_pending_error_reaches_the_application_as_a_message_of_no_family()
    {
        Assert.Equal(WriteResult.Done, _link.WriteError(111));
        var buffer = new byte[100];
        Assert.Equal(28, _app.Receive(buffer));
        Assert.True(Sockaddr.TryRead(buffer, out var from));
        Assert.Equal(Sockaddr.None, from);
        Assert.Equal(111, DatagramHeader.ReadError(buffer));
    }

    [Fact]
    public void Malformed_messages_are_counted_and_passed_over()
    {
        _app.Send(new byte[27]);
        _app.Send(Message(Peer, new byte[65_536]));
        var unknown = Message(Peer, [1]);
        unknown[0] = 77;
        _app.Send(unknown);
        _app.Send(Array.Empty<byte>());
        _app.Send(Message(Peer, [9]));
        Assert.Equal([9], ReadOne(out _));
        Assert.Equal(4, _link.Malformed);
    }

    [Fact]
    public void An_application_that_sends_only_rubbish_is_given_up()
    {
        for (var i = 0; i < 64; i++)
            _app.Send(new byte[1]);
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 0, out _, out _));
    }

    [Fact]
    public void The_applications_close_is_seen_after_its_last_datagram()
    {
        _app.Send(Message(Peer, [1]));
        _app.Close();
        Assert.True(_link.IsHungUp());
        Assert.Equal([1], ReadOne(out _));
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 0, out _, out _));
        var payload = _pool.Rent(1);
        Assert.Equal(WriteResult.Closed, _link.Write(payload, Peer));
        payload.Release();
    }

    [Fact]
    public void A_close_with_datagrams_unread_is_a_close()
    {
        Assert.Equal(WriteResult.Done, _link.WriteError(1));
        _app.Close();
        Assert.Equal(ReadResult.Closed, _link.Read(_pool, 0, out _, out _));
    }

    [Fact]
    public void An_application_that_does_not_read_makes_the_link_full_and_nothing_is_lost_of_what_was_taken()
    {
        var payload = _pool.Rent(1000);
        payload.Append(1000).Clear();
        var taken = 0;
        while (_link.Write(payload, Peer) == WriteResult.Done)
            payload.Span[0] = (byte)++taken;
        payload.Release();
        Assert.InRange(taken, 50, 1000);
        var buffer = new byte[2000];
        for (var i = 0; i < taken; i++)
        {
            Assert.Equal(1028, _app.Receive(buffer));
            Assert.Equal((byte)i, buffer[28]);
        }
    }

    [Fact]
    public void An_application_that_only_writes_meets_its_buffers_end()
    {
        var message = Message(Peer, new byte[60_000]);
        var taken = 0;
        SocketError error;
        while (_app.Send(message, SocketFlags.None, out error) == message.Length)
            taken++;
        Assert.Equal(SocketError.WouldBlock, error);
        for (var i = 0; i < taken; i++)
            Assert.Equal(60_000, ReadOne(out _).Length);
        Assert.Equal(ReadResult.Empty, _link.Read(_pool, 0, out _, out _));
    }

    private static byte[] Message(Sockaddr address, byte[] payload)
    {
        var message = new byte[28 + payload.Length];
        address.WriteTo(message);
        payload.CopyTo(message, 28);
        return message;
    }

    private byte[] ReadOne(out Sockaddr to)
    {
        Assert.Equal(ReadResult.Data, _link.Read(_pool, 0, out var payload, out to));
        var bytes = payload!.Span.ToArray();
        payload.Release();
        return bytes;
    }
}
