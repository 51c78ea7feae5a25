using Tapwire.Links;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Wires;
using Xunit;
using static Tapwire.Posix.Libc;

namespace Tapwire.Tests.Links;

/// <summary>What an edge-triggered reactor reports only once must not be forgotten by a reader that cannot take everything at once.</summary>
public sealed class StreamLinkEdgeSpecs
{
    [Fact]
    public unsafe void An_end_of_stream_reported_before_its_last_bytes_are_read_is_found_after_them()
    {
        var pool = new BufferPool();
        var reactor = new OnceReactor();
        using var link = StreamLink.Create(out var application);
        var descriptor = application.Take();
        link.Start(reactor, Readiness.Readable, _ => { });
        var bytes = new byte[100];
        fixed (byte* start = bytes)
            Assert.Equal(100, (int)send(descriptor, start, 100, MSG_NOSIGNAL));
        Assert.Equal(0, shutdown(descriptor, SHUT_WR));
        reactor.Report(Readiness.Readable | Readiness.HangUp);

        // Credit for a part, then for the rest: nothing more is reported in between.
        Assert.Equal(ReadResult.Data, link.Read(pool, 84, out var first));
        Assert.Equal(ReadResult.Data, link.Read(pool, 1000, out var second));
        Assert.Equal(ReadResult.EndOfStream, link.Read(pool, 1000, out _));
        Assert.Equal((84, 16), (first!.Length, second!.Length));
        first.Release();
        second.Release();
        Close(descriptor);
    }

    private sealed class OnceReactor : IReactor, IRegistration
    {
        private Action<Readiness> _ready = _ => { };

        public void Report(Readiness readiness) => _ready(readiness);

        public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state)
        {
            _ready = readiness => ready(state, readiness);
            return this;
        }

        public void SetInterest(Readiness interest)
        {
        }

        public void Dispose()
        {
        }
    }
}
