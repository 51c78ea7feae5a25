using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>
/// Two whole stacks, 10.0.0.1 and 10.0.0.2, joined frame by frame in virtual time: each frame arrives after the latency, or is lost, as the seed has it.
/// A run goes from deadline to deadline and fails on a stack whose deadline does not move on.
/// </summary>
public sealed class StackPair : IDisposable
{
    private readonly PriorityQueue<(NetworkStack To, PacketBuffer Frame), (long At, long Order)> _flying = new();
    private readonly Random _random;
    private readonly Dictionary<StackSocket, SocketEvents> _news = [];
    private long _order;
    private bool _newsCame;

    public StackPair(Func<int, StackOptions>? options = null, int seed = 1)
    {
        _random = new Random(seed);
        options ??= Ethernet;
        A = Make(options(1), 1);
        B = Make(options(2), 2);
    }

    public DiagnosingBufferPool Pool { get; } = new(quarantined: 64);

    public NetworkStack A { get; }

    public NetworkStack B { get; }

    public static IpAddress AddressA { get; } = IpAddress.Parse("10.0.0.1");

    public static IpAddress AddressB { get; } = IpAddress.Parse("10.0.0.2");

    /// <summary>The same after <see cref="AddV6"/>.</summary>
    public static IpAddress AddressA6 { get; } = IpAddress.Parse("fd00::1");

    public static IpAddress AddressB6 { get; } = IpAddress.Parse("fd00::2");

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1);

    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(1);

    public double Loss { get; set; }

    /// <summary>Frames the hop takes from a stack at one moment; the rest waits on the egress queue.</summary>
    public int FramesPerMoment { get; init; } = int.MaxValue;

    /// <summary>Makes one more frame of one that passes, to arrive right after it; null makes none.</summary>
    public Func<byte[], byte[]?>? Inject { get; init; }

    /// <summary>Applications: called whenever something may have changed.</summary>
    public Action? Act { get; set; }

    public static StackOptions Ethernet(int host) => new() { Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host) }] };

    public static StackOptions RawIp(int host) => new() { Interfaces = [new() { Medium = Medium.Ip }] };

    public static StackOptions Offloading(int host) => new()
    {
        Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host), ChecksumOffload = true, SuperFrame = 65535 }],
    };

    /// <summary>Gives both stacks an IPv6 address, too.</summary>
    public StackPair AddV6()
    {
        Assert.Equal(StackError.None, A.AddAddress(A.Interfaces[0], new IpPrefix(AddressA6, 64), Now));
        Assert.Equal(StackError.None, B.AddAddress(B.Interfaces[0], new IpPrefix(AddressB6, 64), Now));
        return this;
    }

    /// <summary>Takes what happened to a socket since the last call.</summary>
    public SocketEvents News(StackSocket socket)
    {
        _news.Remove(socket, out var events);
        return events;
    }

    /// <summary>Runs until the condition holds.</summary>
    public void RunUntil(Func<bool> condition, double seconds = 600)
    {
        var end = Now + TimeSpan.FromSeconds(seconds);
        while (true)
        {
            Settle();
            if (condition())
                return;
            var next = NextDeadline();
            Assert.True(next <= end, $"Nothing came of it by {end}; the next deadline is {next}.");
            Assert.True(next > Now, $"A deadline at {next} that is not later than the poll at {Now}.");
            Now = next;
        }
    }

    /// <summary>Runs for a time.</summary>
    public void Run(TimeSpan time)
    {
        var end = Now + time;
        for (Settle(); NextDeadline() <= end; Settle())
            Now = NextDeadline();
        Now = end;
        Settle();
    }

    public void Dispose()
    {
        A.Close(Now);
        B.Close(Now);
        foreach (var stack in new[] { A, B })
        {
            while (stack.TryDequeueFrame(out var frame))
                frame.Release();
        }

        while (_flying.TryDequeue(out var item, out _))
            item.Frame.Release();
        Pool.AssertAllReturned();
    }

    private NetworkStack Make(StackOptions options, byte host)
    {
        var secret = new byte[32];
        secret.AsSpan().Fill(host);
        var stack = new NetworkStack(options, Pool, secret);
        Assert.Equal(StackError.None, stack.AddAddress(new IpPrefix(IpAddress.FromV4(0x0A000000u + host), 24), Now));
        return stack;
    }

    private Instant NextDeadline()
    {
        var next = Instant.Min(A.PollAt, B.PollAt);
        return _flying.TryPeek(out _, out var priority) ? Instant.Min(next, new Instant(priority.At)) : next;
    }

    /// <summary>Does all that can be done at this moment.</summary>
    private void Settle()
    {
        for (var round = 0; ; round++)
        {
            Assert.True(round < 10000, "The stacks do not come to rest.");
            while (_flying.TryPeek(out var item, out var priority) && priority.At <= Now.Ticks)
            {
                _flying.Dequeue();
                item.To.Receive(item.Frame, Now);
            }

            Act?.Invoke();
            A.Poll(Now);
            B.Poll(Now);
            var moved = Carry(A, B) | Carry(B, A);
            CollectNews(A);
            CollectNews(B);
            if (!moved && A.PollAt > Now && B.PollAt > Now && !_newsCame)
                return;
            _newsCame = false;
        }
    }

    private bool Carry(NetworkStack from, NetworkStack to)
    {
        var any = false;
        for (var i = 0; i < FramesPerMoment && from.TryDequeueFrame(out var frame); i++)
        {
            any = true;
            var injected = Injected(frame);
            if (_random.NextDouble() < Loss)
                frame.Release();
            else
                _flying.Enqueue((to, frame), ((Now + Latency).Ticks, _order++));
            if (injected is not null)
                _flying.Enqueue((to, injected), ((Now + Latency).Ticks, _order++));
        }

        return any;
    }

    private PacketBuffer? Injected(PacketBuffer frame)
    {
        if (Inject is null)
            return null;
        var bytes = new byte[frame.TotalLength];
        frame.CopyTo(bytes);
        if (Inject(bytes) is not { } changed)
            return null;
        var buffer = Pool.Rent(changed.Length);
        changed.CopyTo(buffer.Append(changed.Length));
        return buffer;
    }

    private void CollectNews(NetworkStack stack)
    {
        while (stack.TryDequeueEvent(out var socket, out var events))
        {
            _newsCame = true;
            _news[socket] = _news.GetValueOrDefault(socket) | events;
        }
    }
}
