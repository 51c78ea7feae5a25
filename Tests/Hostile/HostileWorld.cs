using Tapwire.Tests.Support;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;

namespace Tapwire.Tests.Hostile;

/// <summary>
/// A stack that offers services on one link with an honest stack and with attackers, in virtual time. Frames take a millisecond. What is bounded is looked at after
/// every frame: <see cref="HostileException"/> says what is not.
/// </summary>
internal sealed class HostileWorld
{
    public const ushort EchoPort = 7;
    public const ushort DiscardPort = 9;
    public const ushort SourcePort = 19;

    public static readonly MacAddress VictimMac = new(0x02_00_00_00_00_01);
    public static readonly MacAddress HonestMac = new(0x02_00_00_00_00_02);
    public static readonly MacAddress AttackerMac = new(0x02_00_00_00_00_66);

    /// <summary>Bytes that the victim's TCP may hold.</summary>
    public const long Memory = 16 << 20;

    /// <summary>Beyond <see cref="Memory"/> each connection may have a few segments, so that it can end.</summary>
    private const long MemoryMargin = 4 << 20;

    /// <summary>Entries and ranges that one frame, or one round of timers, may have the engine look at: all that a megabyte in flight is made of, a few times.
    /// Walks that grow with its square would be a million.</summary>
    private const long MaxSteps = 20_000;

    private static readonly TimeSpan Latency = TimeSpan.FromMilliseconds(1);

    private readonly PriorityQueue<(PacketBuffer Frame, bool ToVictim), (Instant At, long Order)> _under = new();
    private readonly VictimServices _services;
    private readonly List<TcpAttacker> _attackers = [];
    private readonly Dictionary<ushort, TcpAttacker> _byPort = [];
    private long _order;
    private long _steps;
    private int _ports;

    /// <param name="slowness">See <see cref="Slowness"/>.</param>
    public HostileWorld(int seed, PoisoningBufferPool pool, bool isV6 = false, int slowness = 1)
    {
        IsV6 = isV6;
        (VictimIp, HonestIp, AttackerIp) = isV6 ? (IpAddress.Parse("fd00::1"), IpAddress.Parse("fd00::2"), IpAddress.Parse("fd00::66"))
            : (IpAddress.Parse("10.0.0.1"), IpAddress.Parse("10.0.0.2"), IpAddress.Parse("10.0.0.66"));
        Pool = pool;
        Slowness = slowness;
        Now = Instant.FromMilliseconds(1_000_000 + seed % 1000);
        Victim = Make(VictimMac, VictimIp, seed, new TcpOptions
        {
            SendBuffer = 128 << 10, MaxSendBuffer = 1 << 20, ReceiveBuffer = 128 << 10, MaxReceiveBuffer = 1 << 20, Memory = Memory,
        });
        HonestStack = Make(HonestMac, HonestIp, ~seed, new TcpOptions());
        _services = new VictimServices(this);
        Honest = new HonestTransfer(this);
    }

    public bool IsV6 { get; }

    public IpAddress VictimIp { get; }

    public IpAddress HonestIp { get; }

    public IpAddress AttackerIp { get; }

    public PoisoningBufferPool Pool { get; }

    public NetworkStack Victim { get; }

    public NetworkStack HonestStack { get; }

    public HonestTransfer Honest { get; }

    public Instant Now { get; private set; }

    /// <summary>Everybody waits so many times as long between two acts: for runs of days.</summary>
    public int Slowness { get; }

    /// <summary>Frames that attackers have sent.</summary>
    public long FramesIn { get; private set; }

    /// <summary>Frames that they were sent.</summary>
    public long FramesOut { get; private set; }

    /// <summary>Of those that they were sent, the ones without data.</summary>
    public long ControlOut { get; private set; }

    /// <summary>Most entries and ranges that one frame, or one round of timers, has had the engine look at, and all.</summary>
    public long MostSteps { get; private set; }

    public long Steps => Victim.Tcp.Transmissions.Steps + Victim.Tcp.Ranges.Steps;

    /// <summary>Most bytes that the victim's TCP has held.</summary>
    public long MostMemory { get; private set; }

    /// <summary>Most buffers that were out at once, those under way included.</summary>
    public long MostBuffers { get; private set; }

    public void Add(TcpAttacker attacker) => _attackers.Add(attacker);

    /// <summary>A port for an attacker's next connection.</summary>
    public ushort NextPort() => (ushort)(10_000 + _ports++ % 50_000);

    /// <summary>An attacker's port changes with each of its connections.</summary>
    public void Rebind(TcpAttacker attacker, ushort old, ushort port)
    {
        if (_byPort.GetValueOrDefault(old) == attacker)
            _byPort.Remove(old);
        _byPort[port] = attacker;
    }

    /// <summary>A frame of an attacker's is on its way.</summary>
    public void SendToVictim(PacketBuffer frame)
    {
        FramesIn++;
        _under.Enqueue((frame, true), (Now + Latency, _order++));
    }

    public void Run(TimeSpan time)
    {
        var end = Now + time;
        while (Now < end)
        {
            Work();
            var next = Instant.Min(Instant.Min(Victim.PollAt, HonestStack.PollAt), Instant.Min(Honest.WakeAt, _services.WakeAt));
            foreach (var attacker in _attackers)
                next = Instant.Min(next, attacker.NextAt);
            if (_under.TryPeek(out _, out var arrival))
                next = Instant.Min(next, arrival.At);
            Now = Instant.Min(end, Instant.Max(next, Now + TimeSpan.FromMicroseconds(100)));
        }
    }

    /// <summary>The attackers go away, everybody closes, and nothing may be left.</summary>
    public void End()
    {
        _attackers.Clear();
        Honest.Stop();
        _services.Stop();
        Run(TimeSpan.FromMinutes(30));
        var tcp = Victim.Tcp;
        if (tcp.Count + tcp.EmbryonicCount + tcp.TimeWaitCount != 0 || tcp.MemoryHeld != 0)
        {
            throw new HostileException(
                $"Left over: {tcp.Count} connections, {tcp.EmbryonicCount} embryos, {tcp.TimeWaitCount} in TIME-WAIT, {tcp.MemoryHeld} bytes.");
        }

        Victim.Close(Now);
        HonestStack.Close(Now);
        foreach (var stack in new[] { Victim, HonestStack })
        {
            while (stack.TryDequeueFrame(out var frame))
                frame.Release();
        }

        while (_under.TryDequeue(out var item, out _))
            item.Frame.Release();
        Pool.AssertAllReturned();
    }

    private NetworkStack Make(MacAddress mac, IpAddress address, int seed, TcpOptions tcp)
    {
        var secret = new byte[32];
        BitConverter.TryWriteBytes(secret, seed);
        var stack = new NetworkStack(new StackOptions { Interfaces = [new() { HardwareAddress = mac }], Neighbors = new() { DuplicateProbes = 0 }, Tcp = tcp }, Pool, secret);
        var error = stack.AddAddress(new IpPrefix(address, IsV6 ? 64 : 24), Now);
        return error == StackError.None ? stack : throw new InvalidOperationException($"{error}");
    }

    private void Work()
    {
        while (_under.TryPeek(out var item, out var arrival) && arrival.At <= Now)
        {
            _under.Dequeue();
            if (item.ToVictim)
            {
                Victim.Receive(item.Frame, Now);
                Check();
            }
            else
            {
                HonestStack.Receive(item.Frame, Now);
            }
        }

        foreach (var attacker in _attackers)
        {
            if (attacker.NextAt <= Now)
                attacker.Step(Now);
        }

        // Until nobody has anything to say: applications write when they have read.
        for (var more = true; more;)
        {
            Victim.Poll(Now);
            Check();
            HonestStack.Poll(Now);
            more = Collect(Victim) | Collect(HonestStack);
            more |= _services.Act(Now) | Honest.Act(Now);
        }
    }

    private void Check()
    {
        var steps = Steps - _steps;
        _steps += steps;
        MostSteps = Math.Max(MostSteps, steps);
        MostMemory = Math.Max(MostMemory, Victim.Tcp.MemoryHeld);
        MostBuffers = Math.Max(MostBuffers, Pool.Rented);
        if (steps > MaxSteps)
            throw new HostileException($"{steps} steps at once.");
        if (MostMemory > Memory + MemoryMargin)
            throw new HostileException($"{MostMemory} bytes held.");
    }

    private bool Collect(NetworkStack from)
    {
        var any = false;
        while (from.TryDequeueFrame(out var frame))
        {
            any = true;
            Route(from, frame);
        }

        return any;
    }

    private void Route(NetworkStack from, PacketBuffer frame)
    {
        Span<byte> bytes = stackalloc byte[1600];
        var length = frame.TotalLength;
        frame.CopyTo(bytes);
        bytes = bytes[..length];
        if (bytes[0] == 0xFF || (bytes[12] == 8 && bytes[13] == 6))
        {
            AnswerArp(from, bytes);
            Carry(from, frame);
            return;
        }

        if (IsV6 && bytes[EthernetHeader.Length + Ipv6Field.NextHeader] == IpProtocol.Icmpv6)
        {
            AnswerSolicitation(from, bytes);
            Carry(from, frame);
            return;
        }

        if (bytes[5] != 0x66)
        {
            Carry(from, frame);
            return;
        }

        frame.Release();
        FramesOut++;
        var (protocolAt, ip) = IsV6 ? (EthernetHeader.Length + Ipv6Field.NextHeader, Ipv6Header.Length) : (23, Ipv4Header.Length);
        if (bytes[protocolAt] != IpProtocol.Tcp || TcpHeader.TryParse(bytes[(EthernetHeader.Length + ip)..], out var header, out var headerLength) != TcpParseResult.Ok)
            return;
        var total = IsV6 ? ((bytes[18] << 8) | bytes[19]) + Ipv6Header.Length : (bytes[16] << 8) | bytes[17];
        var payload = total - ip - headerLength;
        if (payload == 0)
            ControlOut++;
        if (_byPort.TryGetValue(header.DestinationPort, out var attacker))
            attacker.Hear(header, payload);
    }

    private void Carry(NetworkStack from, PacketBuffer frame)
    {
        var copy = Pool.Rent(frame.TotalLength);
        frame.CopyTo(copy.Append(frame.TotalLength));
        frame.Release();
        _under.Enqueue((copy, from == HonestStack), (Now + Latency, _order++));
    }

    /// <inheritdoc cref="AnswerArp"/>
    private void AnswerSolicitation(NetworkStack from, ReadOnlySpan<byte> frame)
    {
        const int TargetAt = EthernetHeader.Length + Ipv6Header.Length + 8;
        if (from != Victim || frame[EthernetHeader.Length + Ipv6Header.Length] != Icmpv6Type.NeighborSolicitation || IpAddress.FromBytes(frame.Slice(TargetAt, 16)) != AttackerIp)
            return;
        var answer = BuildV6.Neighbor(new NeighborMessage(Icmpv6Type.NeighborAdvertisement, NeighborMessage.Solicited | NeighborMessage.Override, AttackerIp),
            BuildV6.Option(NdpOption.TargetLinkLayerAddress, AttackerMac), AttackerIp, VictimIp);
        new EthernetHeader(VictimMac, AttackerMac, EtherType.Ipv6).Emit(answer);
        _under.Enqueue((Pool.RentCopy(answer), true), (Now + Latency, _order++));
    }

    /// <summary>Whoever asks for the attackers' address gets theirs.</summary>
    private void AnswerArp(NetworkStack from, ReadOnlySpan<byte> frame)
    {
        if (from != Victim || frame.Length < EthernetHeader.Length + ArpPacket.Length || IpAddress.FromBytes(frame.Slice(38, 4)) != AttackerIp)
            return;
        var bytes = Pool.Rent(EthernetHeader.Length + ArpPacket.Length);
        new EthernetHeader(VictimMac, AttackerMac, EtherType.Arp).Emit(bytes.Append(EthernetHeader.Length));
        new ArpPacket(ArpOperation.Reply, AttackerMac, AttackerIp, VictimMac, VictimIp).Emit(bytes.Append(ArpPacket.Length));
        _under.Enqueue((bytes, true), (Now + Latency, _order++));
    }
}
