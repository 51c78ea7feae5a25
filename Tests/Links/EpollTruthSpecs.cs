using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Links.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>What an application sees that watches its descriptor edge-triggered from the moment it has it, as event loops do.</summary>
public sealed unsafe class EpollTruthSpecs : IDisposable
{
    private readonly BufferPool _pool = new();
    private readonly int _epoll = Libc.epoll_create1(Libc.EPOLL_CLOEXEC);
    private readonly StreamLink _link;
    private readonly Socket _app;

    public EpollTruthSpecs()
    {
        _link = StreamLink.Create(out var end);
        _app = AppSocket.Open(end);
        var events = Libc.EPOLLIN | Libc.EPOLLOUT | Libc.EPOLLRDHUP | Libc.EPOLLET;
        Errors.Check(Libc.EpollControl(_epoll, Libc.EPOLL_CTL_ADD, (int)_app.Handle, events, 1), "epoll_ctl");
        Assert.Equal(Libc.EPOLLOUT, Events());
    }

    public void Dispose()
    {
        _link.Dispose();
        _app.Dispose();
        Libc.Close(_epoll);
    }

    [Fact]
    public void A_connecting_descriptor_becomes_writable_when_the_connection_stands_and_not_before()
    {
        var filler = _app.WriteUntilFull(new byte[1 << 20]);
        Assert.Equal(0u, Events());
        _link.Discard((uint)filler);
        Assert.Equal(Libc.EPOLLOUT, Events());
        Assert.Equal(0u, Events());
        _app.Send([1]);
        Assert.Equal([1], _link.Drain(_pool).Data);
    }

    [Fact]
    public void A_refused_connection_raises_error_and_hang_up()
    {
        _app.WriteUntilFull(new byte[1 << 20]);
        Assert.Equal(0u, Events());
        _link.Reset();
        Assert.Equal(Libc.EPOLLERR | Libc.EPOLLHUP, Events() & (Libc.EPOLLERR | Libc.EPOLLHUP));
        Assert.Equal(SocketError.ConnectionReset, _app.TryRead());
    }

    [Fact]
    public void Bytes_end_of_stream_and_reset_are_reported_each_once()
    {
        var chain = _pool.Chain([1], 1);
        _link.Write(ref chain, out _);
        Assert.Equal(Libc.EPOLLIN, Events() & Libc.EPOLLIN);
        Assert.Equal(0u, Events());
        Assert.Equal([1], _app.ReadAll());
        _link.EndOfStream();
        Assert.Equal(Libc.EPOLLIN | Libc.EPOLLRDHUP, Events() & (Libc.EPOLLIN | Libc.EPOLLRDHUP | Libc.EPOLLHUP | Libc.EPOLLERR));
        Assert.Equal(0u, Events());
        _link.Reset();
        Assert.Equal(Libc.EPOLLERR | Libc.EPOLLHUP, Events() & (Libc.EPOLLERR | Libc.EPOLLHUP));
    }

    [Fact]
    public void A_descriptor_that_becomes_a_listener_is_readable_when_a_connection_waits()
    {
        using var accept = AcceptLink.From(_link);
        Events();
        using var connection = StreamLink.Create(out var end);
        Assert.Equal(WriteResult.Done, accept.TrySend(default, end));
        Assert.Equal(Libc.EPOLLIN, Events() & Libc.EPOLLIN);
        Assert.Equal(0u, Events());
        Descriptors.Adopt(_app.ReceiveWithDescriptor(64).Descriptor).Dispose();
        Assert.False(_app.Poll(0, SelectMode.SelectRead));
    }

    [Fact]
    public void The_byte_that_is_kept_back_leaves_a_drained_descriptor_writable()
    {
        for (var round = 0; round < 5; round++)
        {
            _app.WriteUntilFull(new byte[1 << 20]);
            Events();
            _link.Drain(_pool);
            Assert.Equal(Libc.EPOLLOUT, Events());
        }
    }

    /// <summary>What epoll has to report now; 0 if nothing has happened since the last report.</summary>
    private uint Events()
    {
        var events = stackalloc byte[16];
        return Libc.epoll_wait(_epoll, events, 1, 0) == 1 ? Libc.EpollEventAt(events, 0).Events : 0;
    }
}
