using System.Net;
using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Proxy;

/// <summary>A TCP connection of the host's kernel as a stream end, over loopback, where what one side does the other sees at once.</summary>
public sealed class HostStreamSpecs : IDisposable
{
    private static readonly IpEndpoint Anywhere = new(IpAddress.Parse("127.0.0.1"), 0);

    private readonly DiagnosingBufferPool _pool = new();
    private readonly HostListener _listener = HostListener.Listen(Anywhere);
    private readonly Socket _program = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly HostStream _stream;

    public HostStreamSpecs()
    {
        _program.Connect(new IPEndPoint(IPAddress.Loopback, _listener.Local.Port));
        Assert.Equal(AcceptResult.Accepted, _listener.TryAccept(out var stream, out var peer));
        _stream = stream!;
        Assert.Equal($"{_program.LocalEndPoint}", $"{peer}");
        Assert.Equal(peer, _stream.Remote);
        Assert.Equal($"{_program.RemoteEndPoint}", $"{_stream.Local}");
    }

    public void Dispose()
    {
        _stream.Dispose();
        _program.Dispose();
        _listener.Dispose();
        _pool.AssertAllReturned();
    }

    [Fact]
    public void Bytes_are_read_within_the_credit_and_then_nothing()
    {
        _program.Send([1, 2, 3, 4, 5]);
        Assert.Equal([1, 2, 3], Read(3));
        Assert.Equal([4, 5], Read(100));
        Assert.Equal(ReadResult.Empty, _stream.Read(_pool, 100, out _));
        Assert.Equal(ReadResult.Empty, _stream.State());
    }

    [Fact]
    public void The_end_comes_after_the_last_byte_and_the_other_direction_goes_on()
    {
        _program.Send([1, 2, 3]);
        _program.Shutdown(SocketShutdown.Send);
        Assert.Equal(ReadResult.EndOfStream, _stream.State());
        Assert.Equal([1, 2, 3], Read(100));
        Assert.Equal(ReadResult.EndOfStream, _stream.Read(_pool, 100, out _));
        Write([4, 5]);
        _stream.EndOfStream();
        Assert.Equal(ReadResult.Closed, _stream.Read(_pool, 100, out _));
        var buffer = new byte[10];
        Assert.Equal(2, _program.Receive(buffer));
        Assert.Equal(0, _program.Receive(buffer));
    }

    [Fact]
    public void A_reset_is_told_at_every_look_from_then_on()
    {
        _program.Send([1, 2, 3]);
        _program.LingerState = new LingerOption(true, 0);
        _program.Close();
        Assert.Equal(ReadResult.Reset, _stream.State());
        Assert.Equal(ReadResult.Reset, _stream.Read(_pool, 100, out _));
        Assert.Equal(ReadResult.Reset, _stream.Read(_pool, 100, out _));
    }

    [Fact]
    public void A_write_that_meets_a_reset_is_closed_and_the_next_read_says_why()
    {
        _program.LingerState = new LingerOption(true, 0);
        _program.Close();
        var chain = (PacketBuffer?)Rent([1]);
        Assert.Equal(WriteResult.Closed, _stream.Write(ref chain, out var written));
        Assert.Equal(0, written);
        PacketBuffer.ReleaseChain(chain);
        Assert.Equal(ReadResult.Reset, _stream.Read(_pool, 100, out _));
    }

    [Fact]
    public void Reset_is_a_reset_to_the_program()
    {
        _stream.Reset();
        var e = Assert.Throws<SocketException>(() => _program.Receive(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
    }

    [Fact]
    public void A_program_that_does_not_read_fills_the_kernels_buffers_and_then_the_rest_is_kept()
    {
        long sent = 0;
        PacketBuffer? left;
        WriteResult result;
        do
        {
            left = Rent(new byte[65536]);
            result = _stream.Write(ref left, out var written);
            sent += written;
            Assert.InRange(sent, 0, 256 << 20);
        }
        while (result == WriteResult.Done);
        Assert.Equal(WriteResult.Full, result);

        var buffer = new byte[1 << 20];
        long received = 0;
        while (left is not null || received < sent)
        {
            received += _program.Receive(buffer);
            if (left is null)
                continue;
            _stream.Write(ref left, out var written);
            sent += written;
        }

        Assert.Equal(0, sent % 65536);
        Assert.Equal(sent, received);
    }

    [Fact]
    public void What_is_looked_at_stays_until_it_is_taken_also_for_the_next_owner()
    {
        _program.Send([1, 2, 3, 4, 5]);
        Span<byte> bytes = stackalloc byte[3];
        Assert.Equal(ReadResult.Data, _stream.Peek(bytes, out var count));
        Assert.Equal([1, 2, 3], bytes[..count].ToArray());
        _stream.Take(2);
        using var next = _stream.HandOver();
        Assert.True(_stream.IsClosed);
        Assert.Equal(ReadResult.Data, next.Read(_pool, 100, out var data));
        Assert.Equal([3, 4, 5], data!.Span.ToArray());
        data.Release();
        Assert.Equal(ReadResult.Empty, next.Peek(bytes, out _));
    }

    [Fact]
    public void A_connection_to_a_service_stands_or_says_why_not()
    {
        Assert.Equal(StackError.None, HostStream.Connect(_listener.Local, out var connecting));
        using (connecting)
        {
            Assert.Equal(StackError.None, connecting!.FinishConnecting());
            Assert.Equal(AcceptResult.Accepted, _listener.TryAccept(out var accepted, out _));
            accepted!.Dispose();
        }

        var closed = HostListener.Listen(Anywhere);
        closed.Dispose();
        var error = HostStream.Connect(closed.Local, out var refused);
        using (refused)
            Assert.Equal(StackError.ConnectionRefused, error == StackError.None ? refused!.FinishConnecting() : error);
    }

    [Fact]
    public void A_port_in_use_and_an_address_of_another_host_are_refused_by_name()
    {
        var taken = Assert.Throws<HostSocketException>(() => HostListener.Listen(_listener.Local));
        Assert.Equal($"Cannot listen on TCP {_listener.Local}: Address already in use.", taken.Message);
        var foreign = Assert.Throws<HostSocketException>(() => HostDatagramSocket.Bind(new IpEndpoint(IpAddress.Parse("192.0.2.1"), 53)));
        Assert.Equal("Cannot open UDP 192.0.2.1:53: Cannot assign requested address.", foreign.Message);
    }

    [Fact]
    public void Datagrams_keep_boundaries_and_sender_and_an_empty_one_is_one()
    {
        using var port = HostDatagramSocket.Bind(Anywhere);
        using var client = HostDatagramSocket.Connect(port.Local);
        Assert.Equal(ReadResult.Empty, port.Read(_pool, 0, out _, out _));
        foreach (var length in (int[])[0, 1, 1500, 65_000])
        {
            var sent = Rent(new byte[length]);
            Assert.Equal(StackError.None, client.Send([9, 9], sent, null));
            sent.Release();
            sent = Rent([]);
            Assert.Equal(StackError.None, client.Send(default, sent, null));
            sent.Release();
            Assert.Equal(ReadResult.Data, port.Read(_pool, BufferPool.HeaderRoom, out var got, out var from));
            Assert.Equal(client.Local, from);
            Assert.Equal(length + 2, got!.Length);
            Assert.Equal(BufferPool.HeaderRoom, got.Headroom);
            Assert.Equal(StackError.None, port.Send(default, got, from));
            got.Release();
            Assert.Equal(ReadResult.Data, port.Read(_pool, 0, out got, out _));
            Assert.Equal(0, got!.Length);
            got.Release();
            Assert.Equal(ReadResult.Data, client.Read(_pool, 0, out got, out _));
            Assert.Equal(length + 2, got!.Length);
            got.Release();
        }
    }

    [Fact]
    public void A_service_that_is_not_there_is_told_once_and_the_socket_goes_on()
    {
        var port = HostDatagramSocket.Bind(Anywhere);
        using var client = HostDatagramSocket.Connect(port.Local);
        port.Dispose();
        var data = Rent([1]);
        Assert.Equal(StackError.None, client.Send(default, data, null));
        data.Release();
        Assert.Equal(ReadResult.Reset, client.Read(_pool, 0, out _, out _));
        Assert.Equal(ReadResult.Empty, client.Read(_pool, 0, out _, out _));
    }

    private byte[] Read(int max)
    {
        Assert.Equal(ReadResult.Data, _stream.Read(_pool, max, out var data));
        var bytes = data!.Span.ToArray();
        data.Release();
        return bytes;
    }

    private PacketBuffer Rent(byte[] bytes)
    {
        var buffer = _pool.Rent(bytes.Length);
        bytes.CopyTo(buffer.Append(bytes.Length));
        return buffer;
    }

    private void Write(byte[] bytes)
    {
        var chain = (PacketBuffer?)Rent(bytes);
        Assert.Equal(WriteResult.Done, _stream.Write(ref chain, out var written));
        Assert.Equal(bytes.Length, written);
    }
}
