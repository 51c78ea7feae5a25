using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires.Qemu;

/// <summary>
/// The network card of a virtual machine ("-netdev stream" of QEMU) as an Ethernet wire: frames behind their lengths on an AF_UNIX stream. One that listens has one machine at a time; when that goes, it waits for the next one,
/// and has no carrier meanwhile. One that has connected fails when the machine goes, and its owner opens it again.
/// </summary>
internal sealed unsafe class QemuStreamWire : IDirectReadWire, IProtocolWire
{
    /// <summary>Frames without use that one read handles: a flood of them must not keep its caller.</summary>
    private const int MostIdle = 256;

    /// <summary>Room for a frame of a machine that has an MTU of Ethernet's size, whatever ours is.</summary>
    private const int LeastRoom = 2048;

    /// <summary>A VLAN tag more than the MTU allows for.</summary>
    private const int TagLength = 4;

    private readonly QemuOptions _options;
    private readonly QemuCounters _counters = new();
    private readonly FrameReader _reader = new();
    private readonly FrameWriter _writer = new();
    private readonly Queue<WireNotice> _notices = new();

    // -1: this wire does not listen.
    private readonly int _listening = -1;
    private readonly Acceptor? _acceptor;
    private readonly FileStatus? _file;
    private readonly int _longest;
    private IReactor? _reactor;
    private IRegistration? _listenerWatch;
    private IRegistration? _machineWatch;
    private Action<Readiness>? _ready;
    private PacketBuffer? _room;

    // -1: there is no machine.
    private int _machine = -1;
    private bool _wantsRoom;
    private volatile bool _knocks;
    private bool _disposed;

    private QemuStreamWire(string name, QemuOptions options, MacAddress address, int mtu, int descriptor)
    {
        Name = name;
        HardwareAddress = address;
        Mtu = mtu;
        _options = options;
        _longest = mtu + EthernetHeader.Length + TagLength;
        FrameRoom = Math.Max(LeastRoom, _longest);
        if (options.Role == QemuRole.Connects)
        {
            Take(descriptor);
        }
        else
        {
            _listening = descriptor;
            _file = FileStatus.TryOf(options.Path);
            _acceptor = new Acceptor(descriptor, OpenFileLimit.OfProcess.AdmitsSession, () => _listenerWatch?.SetInterest(Readiness.Readable));
            Tell(WireNoticeLevel.Information, $"waits for a virtual machine on {options.Path}");
        }
    }

    public string Name { get; }

    public Medium Medium => Medium.Ethernet;

    public int Mtu { get; }

    public MacAddress? HardwareAddress { get; }

    public WireOffloads Offloads => WireOffloads.None;

    public bool HasCarrier => _machine >= 0;

    public long Refused => _counters.AllDrops;

    public int FrameRoom { get; }

    /// <summary>None of WireGuard's.</summary>
    public IReadOnlyList<WirePeer> Peers => [];

    public IReadOnlyDictionary<string, long> Counters => _counters.Describe();

    /// <exception cref="WireException">The socket cannot be had, or no machine is there; the message says why.</exception>
    public static QemuStreamWire Open(string name, QemuOptions options, MacAddress address, int mtu) =>
        new(name, options, address, mtu, options.Role == QemuRole.Connects ? QemuSocket.Connect(options.Path) : QemuSocket.Listen(options.Path));

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_reactor is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        _reactor = reactor;
        Volatile.Write(ref _ready, ready);
        if (_listening >= 0)
        {
            _listenerWatch = reactor.Register(_listening, Readiness.Readable, _ =>
            {
                _knocks = true;
                Report(Readiness.Readable);
            });
        }

        if (_machine >= 0)
            Watch();
        // What has come already, and what there is to say, is taken by a read.
        ready(Readiness.Readable);
    }

    public bool BeginRead()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Flush();
        return false;
    }

    public int ReadFrame(Span<byte> room)
    {
        for (var idle = 0; idle < MostIdle; idle++)
        {
            if (_machine < 0 && !TryAccept())
                return -1;
            switch (_reader.TryTake(out var frame))
            {
                case FrameStreamState.Frame when frame.Length < EthernetHeader.Length:
                    _counters.Count(QemuDrop.TooShort);
                    break;
                // A machine with a larger MTU than ours is the machine's business: its other frames are taken.
                case FrameStreamState.Frame when frame.Length > _longest || frame.Length > room.Length:
                    _counters.Count(QemuDrop.TooLong);
                    break;
                case FrameStreamState.Frame:
                    frame.CopyTo(room);
                    return frame.Length;
                case FrameStreamState.Broken:
                    _counters.Count(QemuDrop.BadLength);
                    Lose("has sent what is no frame");
                    break;
                case FrameStreamState.Incomplete when !TryReceive():
                    return -1;
                default:
                    // More bytes have come, which is no frame yet.
                    break;
            }
        }

        return 0;
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more) => this.ReadEach(pool, ref _room, frames, out more);

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!Flush())
            return 0;
        for (var i = 0; i < frames.Length; i++)
        {
            var frame = frames[i];
            if (_machine < 0)
                _counters.Count(QemuDrop.NoMachine);
            else if (frame.TotalLength < EthernetHeader.Length)
                _counters.Count(QemuDrop.TooShort);
            else if (frame.TotalLength > _longest || frame.Offload is not { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None })
                _counters.Count(QemuDrop.TooLong);
            else if (!Put(frame))
                return i;
        }

        // What the kernel does not take now waits here, and the next frames wait with the caller.
        Flush();
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
        CloseMachine();
        _listenerWatch?.Dispose();
        if (_listening >= 0)
        {
            QemuSocket.Remove(_options.Path, _file);
            _acceptor!.Dispose();
            Close(_listening);
        }

        _room?.Release();
    }

    private void Take(int descriptor)
    {
        _machine = descriptor;
        _counters.Machines++;
        _reader.Reset();
        _writer.Reset();
        QemuSocket.Lengthen(descriptor);
    }

    private bool TryAccept()
    {
        while (_acceptor is not null)
        {
            _knocks = false;
            var result = _acceptor.TryAccept(null, 0, out var descriptor);
            if (result == AcceptResult.None)
                return false;
            if (result != AcceptResult.Accepted)
            {
                Tell(WireNoticeLevel.Warning, "a virtual machine was sent away: there are too many descriptors (ulimit -n)");
            }
            else if (!QemuSocket.IsTrusted(descriptor, out var peer))
            {
                Close(descriptor);
                _counters.Count(QemuDrop.Refused);
                Tell(WireNoticeLevel.Warning, $"{peer} was sent away: only this user's virtual machines, and root's, may connect");
            }
            else
            {
                Take(descriptor);
                Tell(WireNoticeLevel.Information, $"a virtual machine has connected, {peer}");
                Watch();
                return true;
            }
        }

        return false;
    }

    private void Watch()
    {
        _wantsRoom = false;
        _machineWatch = _reactor?.Register(_machine, Readiness.Readable, readiness =>
            // What waits for room is sent by the next read, since the owner may have nothing more to write.
            Report((readiness & Readiness.Writable) == 0 ? readiness : readiness | Readiness.Readable));
    }

    /// <returns>False: nothing has come.</returns>
    private bool TryReceive()
    {
        var room = _reader.Room;
        nint count;
        fixed (byte* start = room)
            count = recv(_machine, start, (nuint)room.Length, MSG_DONTWAIT);
        switch (count)
        {
            case > 0:
                _reader.Filled((int)count);
                return true;
            case 0:
                Lose("has gone");
                return true;
            default:
                if (Errno is not Errors.EAGAIN and not Errors.ENOMEM and not Errors.ENOBUFS)
                {
                    Lose($"has gone: {Errors.Describe(Errno)}");
                    return true;
                }

                // No memory is no reason to lose the machine, and the watch is edge-triggered.
                if (Errno != Errors.EAGAIN)
                    _machineWatch?.SetInterest(Interest);
                else if (_knocks)
                    TellKnock();
                return false;
        }
    }

    private void TellKnock()
    {
        _knocks = false;
        Tell(WireNoticeLevel.Warning, "another virtual machine wants to connect; it waits until this one has gone");
    }

    /// <returns>False: there is no room.</returns>
    private bool Put(PacketBuffer frame)
    {
        var place = _writer.Begin(frame.TotalLength);
        if (place.IsEmpty)
        {
            // With the rest, there is room again, unless the machine has gone; then there is nobody to write to.
            if (!Flush())
                return false;
            if (_machine < 0)
            {
                _counters.Count(QemuDrop.NoMachine);
                return true;
            }

            place = _writer.Begin(frame.TotalLength);
        }

        frame.CopyTo(place);
        return true;
    }

    private Readiness Interest => _wantsRoom ? Readiness.Readable | Readiness.Writable : Readiness.Readable;

    /// <summary>Sends what waits.</summary>
    /// <returns>False: something still waits; a report comes when there is room.</returns>
    private bool Flush()
    {
        while (!_writer.IsEmpty)
        {
            nint count;
            fixed (byte* start = _writer.Waiting)
                count = send(_machine, start, (nuint)_writer.Waiting.Length, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (count >= 0)
            {
                _writer.Sent((int)count);
            }
            else if (Errno is Errors.EAGAIN or Errors.ENOMEM or Errors.ENOBUFS)
            {
                _wantsRoom = true;
                _machineWatch?.SetInterest(Interest);
                return false;
            }
            else
            {
                // The read sees the end, too, with what the machine has said before.
                _writer.Reset();
                Report(Readiness.Readable);
                break;
            }
        }

        if (_wantsRoom)
        {
            _wantsRoom = false;
            _machineWatch?.SetInterest(Interest);
        }

        return true;
    }

    /// <summary>The machine is no longer there, or is sent away.</summary>
    /// <exception cref="WireException">This wire does not listen for the next one.</exception>
    private void Lose(string reason)
    {
        CloseMachine();
        if (_listening < 0)
            throw new WireException($"The virtual machine at '{_options.Path}' {reason}.");
        Tell(WireNoticeLevel.Information, $"the virtual machine {reason}; waits for the next one on {_options.Path}");
    }

    private void CloseMachine()
    {
        _machineWatch?.Dispose();
        _machineWatch = null;
        _wantsRoom = false;
        _writer.Reset();
        if (_machine >= 0)
            Close(_machine);
        _machine = -1;
    }

    private void Tell(WireNoticeLevel level, string text) => _notices.Enqueue(new WireNotice(level, text));

    private void Report(Readiness readiness) => Volatile.Read(ref _ready)?.Invoke(readiness);
}
