using System.Runtime.InteropServices;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Tapwire.Wires;
using Tapwire.Wires.Udp;
using Tapwire.Wires.Vxlan;
using Xunit;

namespace Tapwire.Tests.Wires.Vxlan;

/// <summary>A network of hosts in memory, each with a UDP port, and the VXLAN wires on it. Time moves when the spec says so.</summary>
internal sealed class VxlanHub : IDisposable
{
    private readonly Dictionary<IpEndpoint, HubPort> _ports = [];
    private readonly List<IDisposable> _wires = [];

    public HubClock Clock { get; } = new();

    /// <summary>Datagrams that were sent, whoever has got them.</summary>
    public List<(IpEndpoint From, IpEndpoint To, byte[] Bytes)> Sent { get; } = [];

    /// <summary>Calls that have sent them.</summary>
    public int Calls { get; private set; }

    public HubPort Open(string address, ushort port = 4789)
    {
        var opened = new HubPort(this, new IpEndpoint(IpAddress.Parse(address), port));
        _ports.Add(opened.Own, opened);
        return opened;
    }

    public HubPort PortAt(IpEndpoint own) => _ports[own];

    /// <summary>A wire at that address, with the argument's words.</summary>
    public VxlanWire Wire(string address, string argument, byte mac, int senders = 1, int mtu = 1450)
    {
        var port = Open(address);
        IDatagramPort[] sending = senders == 1 ? [port] : [.. Enumerable.Range(0, senders).Select(i => Open(address, (ushort)(50000 + i)))];
        var wire = new VxlanWire(new VxlanParts($"vxlan{mac}", VxlanOptions.Parse(argument), port, sending, Clock, Mac(mac), mtu));
        wire.Start(new ManualReactor(), _ => { });
        _wires.Add(wire);
        return wire;
    }

    public static MacAddress Mac(byte last) => new(0x02_00_00_00_00_00UL | last);

    public void Send(IpEndpoint from, DatagramPath to, ReadOnlySpan<byte> bytes, int size)
    {
        Calls++;
        for (var at = 0; at < bytes.Length; at += size)
        {
            var datagram = bytes.Slice(at, Math.Min(size, bytes.Length - at)).ToArray();
            Sent.Add((from, to.Remote, datagram));
            if (_ports.TryGetValue(to.Remote, out var port))
                port.Arrived.Enqueue((new DatagramPath(from, to.Remote.Address, to.TrafficClass), datagram));
        }
    }

    public void Dispose() => _wires.ForEach(static wire => wire.Dispose());

    public sealed class HubClock : TimeProvider
    {
        public TimeSpan Elapsed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Elapsed.Ticks;
    }
}

internal sealed class HubPort(VxlanHub hub, IpEndpoint own) : IDatagramPort
{
    private byte[] _latest = [];
    private DatagramPath _path;
    private Action<Readiness>? _ready;

    public IpEndpoint Own => own;

    public Queue<(DatagramPath Path, byte[] Bytes)> Arrived { get; } = [];

    public ushort Port => own.Port;

    public long Refused => 0;

    /// <summary>Takes nothing until it says that there is room.</summary>
    public bool IsFull { get; private set; }

    public DatagramBatch Latest => new(_latest, Math.Max(1, _latest.Length), _path);

    public string TakeRefusal() => "";

    public void Start(IReactor reactor, Action<Readiness> ready) => _ready = ready;

    public void Fill() => IsFull = true;

    public void MakeRoom()
    {
        IsFull = false;
        _ready?.Invoke(Readiness.Writable);
    }

    public bool TryReceive()
    {
        if (!Arrived.TryDequeue(out var next))
            return false;
        (_path, _latest) = next;
        return true;
    }

    public bool TrySend(in DatagramPath path, ReadOnlySpan<byte> bytes, int size)
    {
        if (IsFull)
            return false;
        hub.Send(own, path, bytes, size);
        return true;
    }

    public void Dispose()
    {
    }
}
