using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class AcceptLinkSpecs : IDisposable
{
    private readonly BufferPool _pool = new();
    private readonly Socket _app;
    private readonly AcceptLink _link;

    public AcceptLinkSpecs()
    {
        var stream = StreamLink.Create(out var end);
        _app = AppSocket.Open(end);
        _link = AcceptLink.From(stream);
        Assert.True(stream.IsClosed);
        Assert.Equal(stream.Handle, _link.Handle);
        stream.Dispose();
    }

    public void Dispose()
    {
        _link.Dispose();
        _app.Dispose();
    }

    [Fact]
    public void The_listening_descriptor_is_readable_exactly_while_a_connection_waits()
    {
        Assert.False(_app.Poll(0, SelectMode.SelectRead));
        using var connection = Send(1, out var result);
        Assert.Equal(WriteResult.Done, result);
        Assert.True(_app.Poll(0, SelectMode.SelectRead));
        using var accepted = Accept(1);
        Assert.False(_app.Poll(0, SelectMode.SelectRead));
    }

    [Fact]
    public void Each_record_comes_with_its_own_connection()
    {
        var connections = new List<StreamLink> { Send(1, out _), Send(2, out _), Send(3, out _) };
        for (var i = 1; i <= 3; i++)
        {
            using var accepted = Accept(i);
            Assert.Equal(connections[i - 1].Handle, accepted.Cookie());
            accepted.Send([(byte)i]);
            Assert.Equal([(byte)i], connections[i - 1].Drain(_pool).Data);
        }

        connections.ForEach(c => c.Dispose());
    }

    [Fact]
    public void Only_a_handful_waits_in_the_pair_and_the_rest_goes_on_when_they_are_taken()
    {
        var waiting = 0;
        var connections = new List<StreamLink>();
        while (true)
        {
            connections.Add(Send(waiting, out var result));
            if (result == WriteResult.Full)
                break;
            waiting++;
        }

        Assert.InRange(waiting, 2, 16);
        for (var i = 0; i < waiting; i++)
            Accept(i).Dispose();
        connections.Add(Send(100, out var again));
        Assert.Equal(WriteResult.Done, again);
        Accept(100).Dispose();
        connections.ForEach(c => c.Dispose());
    }

    [Fact]
    public void A_connection_that_the_application_never_accepts_is_closed_with_the_listener()
    {
        using var connection = Send(1, out _);
        Assert.Equal(ReadResult.Empty, connection.State());
        Assert.False(_link.IsHungUp());
        _app.Close();
        Assert.True(_link.IsHungUp());
        Assert.Equal(ReadResult.Closed, connection.State());
        using var refused = Send(2, out var result);
        Assert.Equal(WriteResult.Closed, result);
    }

    [Fact]
    public void The_drivers_close_is_end_of_file_after_the_last_connection()
    {
        using var connection = Send(1, out _);
        _app.Send(new byte[100_000]);
        _link.Dispose();
        Accept(1).Dispose();
        Assert.Null(_app.TryRead());
    }

    [Fact]
    public void A_connection_reset_before_it_is_accepted_is_accepted_and_found_reset()
    {
        var connection = Send(1, out _);
        var chain = _pool.Chain([1, 2, 3], 3);
        connection.Write(ref chain, out _);
        connection.Reset();
        using var accepted = Accept(1);
        Assert.Equal([1, 2, 3], accepted.Receive3());
        Assert.Equal(SocketError.ConnectionReset, accepted.TryRead());
    }

    private static AcceptRecord Record(int number) => new(
        Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), (ushort)(40_000 + number))),
        Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.2"), 80)));

    private StreamLink Send(int number, out WriteResult result)
    {
        var connection = StreamLink.Create(out var end);
        result = _link.TrySend(Record(number), end);
        if (result != WriteResult.Done)
            end.Dispose();
        return connection;
    }

    private Socket Accept(int number)
    {
        var (data, descriptor) = _app.ReceiveWithDescriptor(AcceptRecord.Size);
        Assert.True(AcceptRecord.TryRead(data, out var record));
        Assert.Equal(Record(number), record);
        return Descriptors.Adopt(descriptor);
    }
}

file static class SocketReading
{
    public static byte[] Receive3(this Socket socket)
    {
        var bytes = new byte[3];
        Assert.Equal(3, socket.Receive(bytes));
        return bytes;
    }
}
