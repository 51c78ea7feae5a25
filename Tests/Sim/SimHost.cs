using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>One TCP layer on an IP layer that does nothing but collect what is sent.</summary>
internal sealed class SimHost : IIpOutput
{
    private readonly Queue<(PacketBuffer Packet, IpSendInfo Info)> _egress = new();

    public SimHost(IpAddress address, BufferPool pool, ulong seed, TcpOptions? options = null)
    {
        Address = address;
        Pool = pool;
        var secret = new byte[KeyedRandom.SecretLength];
        BitConverter.TryWriteBytes(secret, seed);
        Tcp = new TcpLayer(options ?? new TcpOptions(), this, Events, Timers, new KeyedRandom(secret), Counters);
    }

    public IpAddress Address { get; }

    public BufferPool Pool { get; }

    public TimerWheel Timers { get; } = new();

    public SocketEventQueue Events { get; } = new();

    public TcpCounters Counters { get; } = new();

    public TcpLayer Tcp { get; }

    public int Mtu { get; set; } = 1500;

    public int SuperFrame { get; set; } = 1500;

    public int EgressLimit { get; set; } = 64;

    public bool HasRoom(int interfaceIndex = 0) => _egress.Count < EgressLimit;

    public bool TakesOutput(int interfaceIndex) => HasRoom();

    public int Waiting => _egress.Count;

    /// <summary>So much later than asked for the host's clock wakes it, as real ones do.</summary>
    public TimeSpan TimerDelay { get; set; }

    public Instant PollAt =>
        Tcp.Turns.Waiting != 0 && HasRoom() ? Instant.Zero : Timers.NextDeadline == Instant.Never ? Instant.Never : Timers.NextDeadline + TimerDelay;

    public StackError RouteError { get; set; }

    public StackError Route(IpAddress destination, IpAddress source, out IpRoute route)
    {
        route = new IpRoute(Address, Mtu, SuperFrame, 0);
        return !source.IsUnspecified && source != Address ? StackError.AddressNotAvailable : RouteError;
    }

    public void Send(PacketBuffer packet, in IpSendInfo info, Instant now) => _egress.Enqueue((packet, info));

    public IpAddress SourceOn(int interfaceIndex, IpAddress destination) => default;

    public void PassOn(PacketBuffer packet, int shard, int shardsTried) => packet.Release();

    public IpAddress? NextHop(IpAddress destination, IpAddress source) => null;

    public void ConfirmReachable(IpAddress destination, IpAddress source, Instant now)
    {
    }

    public void Poll(Instant now)
    {
        Timers.Advance(now);
        Tcp.Turns.Run(now);
    }

    public bool TryDequeue(out PacketBuffer packet, out IpSendInfo info)
    {
        var any = _egress.TryDequeue(out var item);
        (packet, info) = item;
        return any;
    }

    public void Discard()
    {
        while (TryDequeue(out var packet, out _))
            packet.Release();
    }
}
