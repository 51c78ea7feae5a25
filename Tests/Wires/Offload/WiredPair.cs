using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Offload;
using Xunit;

namespace Tapwire.Tests.Wires.Offload;

/// <summary>Two stacks, 10.0.0.1 and 10.0.0.2 or fd00::1 and fd00::2, on the ends of a cable whose frames are of MTU size, or of other wires in virtual time; each with software offload or without, over a wire that places frames or does not.</summary>
internal sealed class WiredPair : IDisposable
{
    private readonly ManualTime _time;
    private readonly Side _a;
    private readonly Side _b;
    private readonly bool _isV6;
    private readonly TcpOptions _tcp = new();

    public WiredPair(CableOptions options, bool offloadsA, bool offloadsB, bool inPlace, bool isV6 = false)
    {
        _time = new ManualTime();
        _isV6 = isV6;
        Cable = new Cable(options, _time);
        _a = new Side(Wire(Cable.A, offloadsA), 1, this);
        _b = new Side(Wire(Cable.B, offloadsB), 2, this);

        IWire Wire(IWire end, bool offloads) => offloads ? SoftwareOffloadWire.Over(inPlace ? new DirectReadWire(end) : end, Pool) : end;
    }

    /// <summary>Wires with software offload, of a network in <paramref name="time"/>; the pair owns them and <paramref name="under"/>, the cable below them.</summary>
    /// <param name="tcp">Of both stacks.</param>
    public WiredPair(ManualTime time, DiagnosingBufferPool pool, Cable under, IDirectReadWire a, IDirectReadWire b, TcpOptions tcp, bool isV6 = false)
    {
        (_time, _isV6, _tcp, Pool, Cable) = (time, isV6, tcp, pool, under);
        _a = new Side(SoftwareOffloadWire.Over(a, pool), 1, this);
        _b = new Side(SoftwareOffloadWire.Over(b, pool), 2, this);
    }

    public DiagnosingBufferPool Pool { get; } = new(quarantined: 16);

    public Cable Cable { get; }

    /// <summary>Between two looks at what has come.</summary>
    public TimeSpan Step { get; init; } = TimeSpan.FromMicroseconds(200);

    /// <summary>Called at each look.</summary>
    public Action<TimeSpan> Looking { get; set; } = static _ => { };

    public NetworkStack A => _a.Stack;

    public NetworkStack B => _b.Stack;

    private Instant Now => new(_time.GetTimestamp() + TimeSpan.TicksPerMillisecond);

    /// <summary>Sends so many bytes each way and waits for both ends of the stream.</summary>
    public void Transfer(int bytesFromA, int bytesFromB, TimeSpan within)
    {
        Assert.Equal(StackError.None, B.Tcp.Listen(new IpEndpoint(default, 80), 10, default, out var listener));
        Assert.Equal(StackError.None, A.Tcp.Connect(new IpEndpoint(Side.AddressOf(2, _isV6).Address, 80), default(IpEndpoint), default, Now, out var socket));
        TcpSocket? accepted = null;
        RunUntil(() => (accepted ??= listener!.Accept()) is not null && socket!.State == TcpState.Established, within);
        listener!.Close(Now);
        using var client = new TcpApp(Pool, socket!, bytesFromA, 1);
        using var server = new TcpApp(Pool, accepted!, bytesFromB, 2);
        RunUntil(() =>
        {
            client.Act(Now);
            server.Act(Now);
            return client.EndOfStream && server.EndOfStream;
        }, within);
        Assert.Equal((bytesFromB, bytesFromA), (client.BytesRead, server.BytesRead));
        Assert.Equal(client.SentHash, server.ReadHash);
        Assert.Equal(server.SentHash, client.ReadHash);
    }

    public void Dispose()
    {
        _a.Close(Now);
        _b.Close(Now);
        Cable.Dispose();
        Pool.AssertAllReturned();
    }

    private void RunUntil(Func<bool> condition, TimeSpan within)
    {
        var end = _time.Now + within;
        while (true)
        {
            bool done;
            var rounds = 0;
            do
            {
                Assert.True(++rounds < 10_000, "The two never come to rest.");
                done = condition();
            }
            while (_a.Run(Now) | _b.Run(Now));
            if (done)
                return;
            Assert.True(_time.Now < end, "Nothing has come of it.");
            _time.Advance(Step);
            Looking(_time.Now);
        }
    }

    /// <summary>A stack and its wire, joined as the tap actor joins them.</summary>
    private sealed class Side
    {
        private readonly IWire _wire;
        private readonly BufferPool _pool;
        private readonly PacketBuffer[] _batch = new PacketBuffer[64];
        private bool _readable = true;
        private bool _full;
        private PacketBuffer? _waiting;

        public Side(IWire wire, byte host, WiredPair pair)
        {
            (_wire, _pool) = (wire, pair.Pool);
            var superFrames = wire.Offloads != WireOffloads.None;
            Stack = new NetworkStack(new StackOptions
            {
                Interfaces =
                [
                    new()
                    {
                        Medium = wire.Medium, HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + host), Mtu = wire.Mtu, ChecksumOffload = superFrames, SuperFrame = superFrames ? 65535 : 0,
                    },
                ],
                Neighbors = new() { DuplicateProbes = 0 },
                Tcp = pair._tcp,
            }, pair.Pool, Enumerable.Repeat(host, 32).ToArray());
            Assert.Equal(StackError.None, Stack.AddAddress(AddressOf(host, pair._isV6), pair.Now));
            _wire.Start(NoReactor.Instance, readiness =>
            {
                _readable |= (readiness & Readiness.Readable) != 0;
                _full &= (readiness & Readiness.Writable) == 0;
            });
        }

        public NetworkStack Stack { get; }

        public static IpPrefix AddressOf(int host, bool isV6) => IpPrefix.Parse(isV6 ? $"fd00::{host}/64" : $"10.0.0.{host}/24");

        /// <summary>Does what can be done now; true if it was anything.</summary>
        public bool Run(Instant now)
        {
            var any = false;
            while (_readable)
            {
                // A report that comes while it is read is not lost.
                _readable = false;
                var count = _wire.Read(_pool, _batch, out var more);
                _readable |= more;
                any |= count > 0;
                foreach (var frame in _batch.AsSpan(0, count))
                    Stack.Receive(frame, now);
            }

            Stack.Poll(now);
            while (Stack.TryDequeueEvent(out _, out _))
                any = true;
            while (!_full && (_waiting is not null || Stack.TryDequeueFrame(out _waiting)))
            {
                _full = true;
                if (_wire.Write([_waiting!]) == 0)
                    break;
                _full = false;
                any = true;
                _waiting!.Release();
                _waiting = null;
            }

            return any;
        }

        public void Close(Instant now)
        {
            Stack.Close(now);
            _waiting?.Release();
            while (Stack.TryDequeueFrame(out var frame))
                frame.Release();
            _wire.Dispose();
        }
    }

    /// <summary>A cable has no descriptor to be watched.</summary>
    private sealed class NoReactor : IReactor
    {
        public static readonly NoReactor Instance = new();

        public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state) => throw new NotSupportedException();
    }
}
