using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires.Qemu;

/// <summary>
/// The network card of a virtual machine ("-netdev dgram" of QEMU) as an Ethernet wire: each frame is a datagram between two AF_UNIX sockets, which both have files. One socket receives, from whom its file lets send; another one,
/// which is connected, sends, because only that one is told when the machine has read some. There is a carrier while the machine's socket is there.
/// </summary>
internal sealed unsafe class QemuDatagramWire : IDirectReadWire, IProtocolWire
{
    /// <summary>Frames without use that one read handles: a flood of them must not keep its caller.</summary>
    private const int MostIdle = 256;

    private const int LeastRoom = 2048;
    private const int TagLength = 4;

    private readonly QemuOptions _options;
    private readonly QemuCounters _counters = new();
    private readonly Queue<WireNotice> _notices = new();
    private readonly int _receiving;
    private readonly int _sending;
    private readonly FileStatus? _file;
    private readonly int _longest;
    private IRegistration? _receiveWatch;
    private IRegistration? _sendWatch;
    private Action<Readiness>? _ready;
    private PacketBuffer? _room;
    private byte[] _gathered = [];
    private bool _connected;
    private bool _wantsRoom;
    private bool _disposed;

    private QemuDatagramWire(string name, QemuOptions options, MacAddress address, int mtu, int receiving, int sending)
    {
        Name = name;
        HardwareAddress = address;
        Mtu = mtu;
        _options = options;
        _receiving = receiving;
        _sending = sending;
        _file = FileStatus.TryOf(options.Path);
        _longest = mtu + EthernetHeader.Length + TagLength;
        FrameRoom = Math.Max(LeastRoom, _longest);
        QemuSocket.Lengthen(sending);
        if (!TryConnect())
            _notices.Enqueue(new WireNotice(WireNoticeLevel.Information, $"waits for a virtual machine at {options.Remote}"));
    }

    public string Name { get; }

    public Medium Medium => Medium.Ethernet;

    public int Mtu { get; }

    public MacAddress? HardwareAddress { get; }

    public WireOffloads Offloads => WireOffloads.None;

    public bool HasCarrier => _connected;

    public long Refused => _counters.AllDrops;

    public int FrameRoom { get; }

    /// <summary>None of WireGuard's.</summary>
    public IReadOnlyList<WirePeer> Peers => [];

    public IReadOnlyDictionary<string, long> Counters => _counters.Describe();

    /// <exception cref="WireException">The sockets cannot be had; the message says why.</exception>
    public static QemuDatagramWire Open(string name, QemuOptions options, MacAddress address, int mtu)
    {
        var receiving = QemuSocket.Bind(options.Path, SOCK_DGRAM);
        try
        {
            return new QemuDatagramWire(name, options, address, mtu, receiving, QemuSocket.Datagrams());
        }
        catch
        {
            QemuSocket.Remove(options.Path, FileStatus.TryOf(options.Path));
            Close(receiving);
            throw;
        }
    }

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_receiveWatch is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        Volatile.Write(ref _ready, ready);
        _receiveWatch = reactor.Register(_receiving, Readiness.Readable, _ => Report(Readiness.Readable));
        _sendWatch = reactor.Register(_sending, Readiness.None, readiness => Report(readiness & Readiness.Writable));
        // What has come already, and what there is to say, is taken by a read.
        ready(Readiness.Readable);
    }

    public bool BeginRead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return false;
    }

    public int ReadFrame(Span<byte> room)
    {
        for (var idle = 0; idle < MostIdle; idle++)
        {
            nint count;
            fixed (byte* start = room)
                count = recv(_receiving, start, (nuint)room.Length, MSG_DONTWAIT | MSG_TRUNC);
            if (count < 0)
            {
                // No memory: there may be more, and the watch is edge-triggered.
                if (Errno != Errors.EAGAIN)
                    _receiveWatch?.SetInterest(Readiness.Readable);
                return -1;
            }

            if (!_connected)
                TryConnect();
            if (count < EthernetHeader.Length)
                _counters.Count(QemuDrop.TooShort);
            else if (count > _longest || count > room.Length)
                _counters.Count(QemuDrop.TooLong);
            else
                return (int)count;
        }

        return 0;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => this.ReadEach(pool, ref _room, frames, out more);

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        for (var i = 0; i < frames.Length; i++)
        {
            var frame = frames[i];
            if (frame.TotalLength < EthernetHeader.Length)
                _counters.Count(QemuDrop.TooShort);
            else if (frame.TotalLength > _longest || frame.Offload is not { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None })
                _counters.Count(QemuDrop.TooLong);
            else if (!_connected && !TryConnect())
                _counters.Count(QemuDrop.NoMachine);
            else if (!TrySend(frame))
                return i;
        }

        if (_wantsRoom)
        {
            _wantsRoom = false;
            _sendWatch?.SetInterest(Readiness.None);
        }

        return frames.Length;
    }

    public bool TryTakeNotice(out WireNotice notice) => _notices.TryDequeue(out notice);

    /// <summary>All its configuration is its name, which stays.</summary>
    public void Reread() => ObjectDisposedException.ThrowIf(_disposed, this);

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        Volatile.Write(ref _ready, null);
        _receiveWatch?.Dispose();
        _sendWatch?.Dispose();
        QemuSocket.Remove(_options.Path, _file);
        Close(_receiving);
        Close(_sending);
        _room?.Release();
    }

    private bool TryConnect()
    {
        _connected = new UnixAddress(_options.Remote).Connect(_sending) == 0;
        if (!_connected)
            return false;
        _counters.Machines++;
        _notices.Enqueue(new WireNotice(WireNoticeLevel.Information, $"a virtual machine is at {_options.Remote}"));
        // The owner looks at the carrier after a read.
        Report(Readiness.Readable);
        return true;
    }

    /// <returns>False: the machine's queue is full.</returns>
    private bool TrySend(PacketBuffer frame)
    {
        var errno = Send(frame);
        switch (errno)
        {
            case 0:
                return true;
            case Errors.EAGAIN or Errors.ENOMEM or Errors.ENOBUFS:
                _wantsRoom = true;
                _sendWatch?.SetInterest(Readiness.Writable);
                return false;
            case Errors.EMSGSIZE:
                _counters.Count(QemuDrop.TooLong);
                return true;
            default:
                // It has closed its socket. Another one may be there when the next frame is sent.
                _connected = false;
                _counters.Count(QemuDrop.NoMachine);
                _notices.Enqueue(new WireNotice(WireNoticeLevel.Information, $"the virtual machine has gone: {Errors.Describe(errno)}; waits for the next one at {_options.Remote}"));
                Report(Readiness.Readable);
                return true;
        }
    }

    /// <returns>errno, or 0.</returns>
    private int Send(PacketBuffer frame)
    {
        if (frame.FragmentCount == 0)
            return send(_sending, frame.Pointer, (nuint)frame.Length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? Errno : 0;
        if (_gathered.Length < frame.TotalLength)
            _gathered = new byte[_longest];
        frame.CopyTo(_gathered);
        fixed (byte* start = _gathered)
            return send(_sending, start, (nuint)frame.TotalLength, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? Errno : 0;
    }

    private void Report(Readiness readiness)
    {
        if (readiness != 0)
            Volatile.Read(ref _ready)?.Invoke(readiness);
    }
}
