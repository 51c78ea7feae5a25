using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Wires.Udp;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Random bytes from a seed, so that a run repeats.</summary>
internal sealed class SeededBytes(int seed) : IRandomBytes
{
    private readonly Random _random = new(seed);

    /// <summary>The last ones of a key's length, among them ephemeral keys: a judge who has them can read along.</summary>
    public Queue<byte[]> Keys { get; } = [];

    public void Fill(Span<byte> bytes)
    {
        _random.NextBytes(bytes);
        if (bytes.Length != 32)
            return;
        Keys.Enqueue(bytes.ToArray());
        if (Keys.Count > 100)
            Keys.Dequeue();
    }

    /// <summary>A private key.</summary>
    public SecretKey Key()
    {
        var bytes = new byte[32];
        Fill(bytes);
        Curve25519.Clamp(bytes);
        return new SecretKey(bytes);
    }
}

/// <summary>A datagram under way.</summary>
/// <param name="TrafficClass">Of its outer header.</param>
internal sealed record Datagram(IpEndpoint From, IpEndpoint To, byte[] Bytes, byte TrafficClass = 0)
{
    /// <summary>The own address that the sender asked to send from; default: none.</summary>
    public IpAddress AskedSource { get; init; }

    public byte Type => Bytes.Length > 0 ? Bytes[0] : (byte)0;
}

/// <summary>
/// Engines on a network in virtual time: datagrams arrive after a latency, unless something is done to them, and time moves from one deadline to the next. The same seed gives the same run.
/// </summary>
internal sealed class WireGuardNetwork(int seed = 1) : IDisposable
{
    private readonly PriorityQueue<Datagram, (long Due, long Number)> _underWay = new();
    private readonly List<WireGuardEnd> _ends = [];
    private readonly Random _random = new(seed);
    private long _number;

    public Instant Now { get; private set; } = Instant.Zero;

    public TimeSpan Latency { get; set; } = TimeSpan.FromMilliseconds(20);

    /// <summary>Parts of 1.</summary>
    public double Loss { get; set; }

    public double Duplication { get; set; }

    /// <summary>The part of the datagrams that come up to this much later.</summary>
    public double Reordering { get; set; }

    public TimeSpan ReorderingDelay { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>False: the datagram is lost.</summary>
    public Func<Datagram, bool> Passes { get; set; } = static _ => true;

    /// <summary>Everything that was sent, in order.</summary>
    public List<Datagram> Sent { get; } = [];

    public DiagnosingBufferPool Pool { get; } = new();

    public WireGuardEnd Add(string address, WireGuardLimits? limits = null, double drift = 0)
    {
        var end = new WireGuardEnd(this, new IpEndpoint(IpAddress.Parse(address), 51820), seed * 100 + _ends.Count, limits ?? WireGuardLimits.Default) { Drift = drift };
        _ends.Add(end);
        return end;
    }

    /// <summary>Two ends that know each other: 10.0.0.1 and 10.0.0.2, and fd00::1 and fd00::2.</summary>
    public (WireGuardEnd A, WireGuardEnd B) Pair(WireGuardLimits? limits = null, double driftA = 0, double driftB = 0)
    {
        var (a, b) = (Add("192.0.2.1", limits, driftA), Add("192.0.2.2", limits, driftB));
        a.Knows(b, ["10.0.0.2/32", "fd00::2/128"]);
        b.Knows(a, ["10.0.0.1/32", "fd00::1/128"]);
        return (a, b);
    }

    public void Put(IpEndpoint from, in DatagramPath path, ReadOnlySpan<byte> bytes)
    {
        var datagram = new Datagram(from, path.Remote, bytes.ToArray(), path.TrafficClass) { AskedSource = path.Local };
        Sent.Add(datagram);
        if (!Passes(datagram) || _random.NextDouble() < Loss)
            return;
        Enqueue(datagram);
        if (_random.NextDouble() < Duplication)
            Enqueue(datagram);
    }

    /// <summary>Runs for that long.</summary>
    public void Run(TimeSpan duration) => RunUntil(Now + duration);

    public void RunSeconds(double seconds) => Run(TimeSpan.FromSeconds(seconds));

    public void RunUntil(Instant end)
    {
        while (true)
        {
            var due = _underWay.TryPeek(out _, out var first) ? new Instant(first.Due) : Instant.Never;
            foreach (var end1 in _ends)
                due = Instant.Min(due, end1.PollAt);
            if (due > end)
                break;
            Now = Instant.Max(Now, due);
            while (_underWay.TryPeek(out _, out first) && first.Due <= Now.Ticks)
                Deliver(_underWay.Dequeue());
            foreach (var each in _ends)
            {
                each.Engine.Poll(each.Now);
                if (each.Engine.PollAt <= each.Now)
                    throw new InvalidOperationException("Something is due after a poll.");
            }
        }

        Now = end;
    }

    public void Deliver(Datagram datagram)
    {
        foreach (var end in _ends)
        {
            if (end.Address == datagram.To)
                end.Take(datagram);
        }
    }

    public void Dispose()
    {
        foreach (var end in _ends)
            end.Engine.Dispose();
        Pool.AssertAllReturned();
    }

    private void Enqueue(Datagram datagram)
    {
        var due = Now + Latency;
        if (_random.NextDouble() < Reordering)
            due += TimeSpan.FromTicks((long)(ReorderingDelay.Ticks * _random.NextDouble()));
        _underWay.Enqueue(datagram, (due.Ticks, _number++));
    }
}

/// <summary>One engine, its address on the network, and what it has received.</summary>
internal sealed class WireGuardEnd : IDatagramSink, IWireGuardObserver
{
    private readonly WireGuardNetwork _network;
    private readonly byte[] _room = new byte[65536];
    private readonly byte[] _packet = new byte[65536];
    private DatagramPath _path;
    private int _length;

    public WireGuardEnd(WireGuardNetwork network, IpEndpoint address, int seed, WireGuardLimits limits)
    {
        _network = network;
        Address = address;
        Random = new SeededBytes(seed);
        PrivateKey = Random.Key();
        Engine = new WireGuardEngine(PrivateKey, limits, Random, DateTimeOffset.UnixEpoch.AddYears(50), network.Pool, this, this);
    }

    public SecretKey PrivateKey { get; }

    public SeededBytes Random { get; }

    /// <summary>How much faster its clock is than the network's, in parts of 1.</summary>
    public double Drift { get; init; }

    /// <summary>The time of its clock.</summary>
    public Instant Now => new((long)(_network.Now.Ticks * (1 + Drift)));

    /// <summary>The engine's deadline, by the network's clock.</summary>
    public Instant PollAt => Engine.PollAt == Instant.Never || Drift == 0 ? Engine.PollAt : new Instant((long)Math.Ceiling((Engine.PollAt.Ticks + 1) / (1 + Drift)));

    public WireGuardEngine Engine { get; }

    /// <summary>Where it is: datagrams to it arrive, and those that it sends come from there.</summary>
    public IpEndpoint Address { get; set; }

    /// <summary>Packets for its stack.</summary>
    public List<byte[]> Packets { get; } = [];

    public List<string> Events { get; } = [];

    /// <summary>The socket takes nothing.</summary>
    public bool IsFull { get; set; }

    public WireGuardPeer Peer => Engine.Peers[0];

    public WireGuardCounters Counters => Engine.Counters;

    public void Knows(WireGuardEnd other, string[] allowed, bool withEndpoint = true, int keepalive = 0, SecretKey? preshared = null) => Assert(Engine.SetPeer(new WireGuardPeerOptions(
        other.Engine.PublicKey, [.. allowed.Select(IpPrefix.Parse)], preshared, withEndpoint ? other.Address : null, null, keepalive), Now));

    /// <summary>Sends a packet of the stack.</summary>
    public SendOutcome Send(string from, string to, int payload = 100, byte fill = 0x55)
    {
        var packet = _network.Pool.RentCopy(InnerPackets.Make(from, to, payload, fill));
        var outcome = Engine.Send(packet, Now);
        packet.Release();
        return outcome;
    }

    public void Take(Datagram datagram) => TakeAt(datagram, datagram.To.Address);

    /// <param name="local">The own address to which it has come.</param>
    public void TakeAt(Datagram datagram, IpAddress local)
    {
        var length = Engine.Receive(datagram.Bytes, new DatagramPath(datagram.From, local, datagram.TrafficClass), Now, _packet);
        if (length > 0)
            Packets.Add(_packet[..length]);
    }

    public Span<byte> Begin(in DatagramPath path, int length)
    {
        (_path, _length) = (path, length);
        return IsFull ? default : _room.AsSpan(0, length);
    }

    public void End() => _network.Put(Address, _path, _room.AsSpan(0, _length));

    public void SessionBegun(WireGuardPeer peer, Instant? unansweredSince, Instant now) => Events.Add("session");

    public void HandshakeUnanswered(WireGuardPeer peer, Instant since, Instant now) => Events.Add("unanswered");

    public void EndpointMoved(WireGuardPeer peer, IpEndpoint from, IpEndpoint to) => Events.Add($"{from} -> {to}");

    private static void Assert(bool isTaken)
    {
        if (!isTaken)
            throw new InvalidOperationException("The peer was not taken.");
    }
}

/// <summary>IP packets whose payload has no meaning.</summary>
internal static class InnerPackets
{
    public static byte[] Make(string from, string to, int payload, byte fill = 0x55)
    {
        var (source, destination) = (IpAddress.Parse(from), IpAddress.Parse(to));
        var header = source.IsV4 ? 20 : 40;
        var packet = new byte[header + payload];
        packet.AsSpan(header).Fill(fill);
        if (source.IsV4)
        {
            packet[0] = 0x45;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            source.CopyTo(packet.AsSpan(12));
            destination.CopyTo(packet.AsSpan(16));
        }
        else
        {
            packet[0] = 0x60;
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload);
            source.CopyTo(packet.AsSpan(8));
            destination.CopyTo(packet.AsSpan(24));
        }

        return packet;
    }
}
