using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Packets;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires;

/// <summary>A TAP or TUN device of the kernel: reads frames that the kernel sends on that interface, and writes frames that it receives.</summary>
public sealed unsafe partial class TapWire : IWire, IDirectReadWire
{

    // With super-frames each frame is read with its virtio header into a large buffer by one plain read. A frame up to this size is then copied to a small
    // buffer, while it is in the first-level cache, and leaves the large one for the next read. Vectored reads into the right places cost more. If a device has
    // no larger frames, they are read into a small buffer and stay there.
    private const int SmallLength = 2048;

    /// <summary>Frames that may wait for this wire in the kernel: 100 ms of 40,000 a second.</summary>
    private const int QueueLength = 4096;

    /// <summary>The kernel's defaults for a TUN device (TUN_READQ_SIZE), and for any Ethernet device (DEFAULT_TX_QUEUE_LEN).</summary>
    private static readonly int[] DefaultQueueLengths = [500, 1000];

    private readonly int _descriptor;
    private readonly int _linkHeader;
    private readonly int _virtioLength;

    // The buffer for the next frame, kept from one read to the next.
    private PacketBuffer? _room;

    // All frames are small.
    private bool _smallOnly;
    private DeviceWatch? _watch;
    private BurstGauge _burst = new();
    private bool _disposed;

    // Another process has the descriptor, too, and could make it one that waits.
    private readonly bool _isShared;

    private TapWire(int descriptor, string name, Medium medium, int mtu, MacAddress? address, bool virtioHeader, WireOffloads offloads, bool isShared = false)
    {
        _isShared = isShared;
        _descriptor = descriptor;
        Name = name;
        Medium = medium;
        Mtu = mtu;
        HardwareAddress = address;
        Offloads = offloads;
        _linkHeader = medium == Medium.Ethernet ? EthernetHeader.Length : 0;
        _virtioLength = virtioHeader ? VirtioNetHeader.Length : 0;
        _smallOnly = !virtioHeader && mtu + _linkHeader < SmallLength;
    }

    public string Name { get; }

    public Medium Medium { get; }

    public int Mtu { get; }

    public MacAddress? HardwareAddress { get; }

    public WireOffloads Offloads { get; }

    public long Refused { get; private set; }

    /// <summary>Opens the device in the network namespace of the calling thread. Afterwards the wire can be used on any thread.</summary>
    /// <exception cref="WireException">Something is missing; the message says what it is and how to get it.</exception>
    /// <exception cref="ArgumentException">An option is invalid.</exception>
    public static TapWire Open(TapWireOptions options)
    {
        options.Validate();
        var descriptor = TunDevice.Open();
        try
        {
            // With the kernel's offloads off the header would carry nothing, so frames go without it.
            var virtioHeader = options.Offloads != WireOffloads.None && TunDevice.HasVirtioHeader(descriptor);
            var name = TunDevice.Attach(descriptor, options.Name, options.Medium, virtioHeader, options.MultiQueue);
            if (virtioHeader)
                TunDevice.SetVirtioHeaderLength(descriptor, name, VirtioNetHeader.Length);
            var offloads = TunDevice.SetOffloads(descriptor, virtioHeader ? options.Offloads : WireOffloads.None);

            using var control = new InterfaceControl(name);
            var mtu = PrepareInterface(control, name, options);
            var address = options.Medium == Medium.Ethernet ? ChooseAddress(options, name, control.HardwareAddress) : (MacAddress?)null;
            return new TapWire(descriptor, name, options.Medium, mtu, address, virtioHeader, offloads);
        }
        catch (PosixException e)
        {
            Close(descriptor);
            throw new WireException(e.Message, e);
        }
        catch
        {
            Close(descriptor);
            throw;
        }
    }

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_watch is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        _watch = new DeviceWatch(ready);
        _watch.Start(reactor, _descriptor);
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var repeats = BeginRead();
        var limit = repeats ? Math.Min(frames.Length, _burst.Limit) : frames.Length;
        var read = 0;
        while (read < limit)
        {
            var room = _room ??= pool.RentFilled(_smallOnly ? SmallLength : BufferPool.MaxCapacity);
            var length = ReadPlain(room.Pointer, room.Length);
            if (length < 0)
                break;
            if (Finish(room, length, pool) is { } frame)
                frames[read++] = frame;
            else
                Refused++;
        }

        if (repeats)
            _burst.Read(read, limit);
        more = !repeats && read == limit;
        return read;
    }

    int IDirectReadWire.FrameRoom => _smallOnly ? SmallLength : 0;

    bool IDirectReadWire.BeginRead() => BeginRead();

    int IDirectReadWire.ReadFrame(Span<byte> room)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        fixed (byte* start = room)
        {
            var length = ReadPlain(start, room.Length);
            if (length < 0 || IsUsable(length, room.Length))
                return length;
        }

        Refused++;
        return 0;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        Span<byte> header = stackalloc byte[VirtioNetHeader.Length];
        for (var i = 0; i < frames.Length; i++)
        {
            var frame = frames[i];
            var acceptable = _virtioLength > 0
                ? VirtioNetHeader.TryEmit(frame, Offloads, header)
                : frame.Offload is { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None };
            if (!acceptable)
            {
                Refused++;
                continue;
            }

            if (!TryWrite(frame, header[.._virtioLength]))
            {
                _watch?.WatchForRoom(true);
                return i;
            }
        }

        _watch?.WatchForRoom(false);
        return frames.Length;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        // Before the number of the descriptor can be another's.
        Volatile.Write(ref _disposed, true);
        _watch?.Dispose();
        _room?.Release();
        Close(_descriptor);
    }

    private bool BeginRead() => _watch is not null && _watch.BeginRead();

    private static int PrepareInterface(InterfaceControl control, string name, TapWireOptions options)
    {
        var mtu = control.Mtu;
        if (options.Mtu is { } wanted && wanted != mtu)
        {
            Configure(() => control.SetMtu(wanted), $"{name} has MTU {mtu}", $"ip link set {name} mtu {wanted}");
            mtu = wanted;
        }

        if (options.BringUp && !control.IsUp)
            Configure(control.SetUp, $"{name} is down", $"ip link set {name} up");
        foreach (var address in options.PeerAddresses)
            AddAddress(control.Index, name, address);
        LengthenQueue(control);
        return mtu;
    }

    /// <summary>
    /// Lengthens the kernel's queue. The default is full within 12 ms under 40,000 frames a second, and a process may wait that long for a processor that it
    /// shares: connections whose SYN is lost in such a flood start again after a second. A length other than the default was set by an administrator and stays.
    /// Failure does no harm.
    /// </summary>
    private static void LengthenQueue(InterfaceControl control)
    {
        if (!DefaultQueueLengths.Contains(control.QueueLength))
            return;
        try
        {
            control.SetQueueLength(QueueLength);
        }
        catch (PosixException e) when (e.Errno == Errors.EPERM)
        {
        }
    }

    /// <summary>Adds an address. A user without the privilege can still use the interface that root has given it to.</summary>
    private static void AddAddress(int index, string name, IpPrefix address) => Configure(() =>
    {
        try
        {
            AddressControl.Add(name, index, address);
        }
        catch (PosixException e) when (e.Errno == Errors.EPERM && AddressControl.Has(index, address))
        {
        }
    }, $"{name} has no address {address}", $"ip addr add {address} dev {name}");

    private static void Configure(Action change, string state, string remedy)
    {
        try
        {
            change();
        }
        catch (PosixException e) when (e.Errno == Errors.EPERM)
        {
            throw new WireException($"{state}, and changing that needs CAP_NET_ADMIN: run '{remedy}' as root.", e);
        }
    }

    private static MacAddress ChooseAddress(TapWireOptions options, string name, MacAddress kernels)
    {
        if (options.HardwareAddress is { } given)
        {
            return given != kernels ? given
                : throw new WireException($"{given} is the kernel's own address on {name}: this end needs another one.");
        }

        MacAddress address;
        do
            address = HardwareAddresses.Random();
        while (address == kernels);
        return address;
    }

    /// <summary>Reads one frame behind its virtio header; -1 if there is none.</summary>
    private int ReadPlain(byte* start, int room)
    {
        var count = (int)(_isShared ? ReadNow(_descriptor, start, (nuint)room, out var errno) : Libc.Read(_descriptor, start, (nuint)room, out errno));
        if (count < 0 && (errno != Errors.EAGAIN || _watch is { HasHungUp: true }))
            throw Gone(errno, "read");
        return count;
    }

    /// <summary>Checks that a frame has been read, and completely. The kernel truncates it to the room without an error, so one that fills the room counts as
    /// truncated. With a small room that means that the interface now has a larger MTU; the next frame gets a large room.</summary>
    private bool IsUsable(int length, int room)
    {
        _smallOnly &= length < room;
        return length < room && length >= Math.Max(_virtioLength + _linkHeader, 1);
    }

    /// <summary>Makes a frame of the bytes read; null if it is unusable.</summary>
    private PacketBuffer? Finish(PacketBuffer room, int length, BufferPool pool)
    {
        if (!IsUsable(length, room.Length))
        {
            if (length == room.Length)
                GiveUp(room);
            return null;
        }

        var note = default(OffloadNote);
        if (_virtioLength > 0 && !VirtioNetHeader.TryParse(room.Span, room.Span[_virtioLength..length], _linkHeader, out note))
            return null;
        var frame = room;
        if (_smallOnly || length - _virtioLength > SmallLength)
        {
            _room = null;
            frame.Truncate(length);
            frame.TrimStart(_virtioLength);
        }
        else
        {
            frame = pool.RentCopy(room.Span[_virtioLength..length]);
        }

        frame.Offload = note;
        return frame;
    }

    private void GiveUp(PacketBuffer room)
    {
        _room = null;
        room.Release();
    }

    /// <summary>Writes one frame, or counts it as refused; false if the device is full.</summary>
    private bool TryWrite(PacketBuffer frame, ReadOnlySpan<byte> header)
    {
        var errno = frame.FragmentCount == 0 && frame.Headroom >= header.Length && frame.IsExclusive
            ? WritePlain(frame, header)
            : WriteGathered(frame, header);
        switch (errno)
        {
            case 0:
                return true;
            case Errors.EAGAIN:
                return false;
            case Errors.EBADFD or Errors.EBADF or Errors.ENODEV or Errors.ENXIO:
                throw Gone(errno, "written");
            default:
                // EINVAL: malformed; EIO: the interface is down; ENOMEM: as a busy device would drop it.
                Refused++;
                return true;
        }
    }

    /// <summary>Writes a contiguous frame that nobody else refers to: its virtio header is put before it, which saves a vectored write.</summary>
    /// <returns>errno, or 0.</returns>
    private int WritePlain(PacketBuffer frame, ReadOnlySpan<byte> header)
    {
        header.CopyTo(frame.Prepend(header.Length));
        int errno;
        if (_isShared)
        {
            var vector = new IoVector { Base = frame.Pointer, Length = (nuint)frame.Length };
            errno = WriteNow(_descriptor, &vector, 1) < 0 ? Errno : 0;
        }
        else
        {
            Libc.Write(_descriptor, frame.Pointer, (nuint)frame.Length, out errno);
        }

        frame.TrimStart(header.Length);
        return errno;
    }

    /// <inheritdoc cref="WritePlain"/>
    [SkipLocalsInit]
    private int WriteGathered(PacketBuffer frame, ReadOnlySpan<byte> header)
    {
        var vectors = stackalloc IoVector[PacketBuffer.MaxFragments + 2];
        fixed (byte* start = header)
        {
            var count = 0;
            if (!header.IsEmpty)
                vectors[count++] = new IoVector { Base = start, Length = (nuint)header.Length };
            vectors[count++] = new IoVector { Base = frame.Pointer, Length = (nuint)frame.Length };
            for (var i = 0; i < frame.FragmentCount; i++)
            {
                var pointer = frame.GetFragmentPointer(i, out var length);
                vectors[count++] = new IoVector { Base = pointer, Length = (nuint)length };
            }

            return (_isShared ? WriteNow(_descriptor, vectors, count) : writev(_descriptor, vectors, count)) < 0 ? Errno : 0;
        }
    }

    private WireException Gone(int errno, string verb) => errno is Errors.EBADFD or Errors.EAGAIN
        ? new WireException($"{Name} has been removed.")
        : new WireException($"{Name} can no longer be {verb}: {Errors.Describe(errno)} (errno {errno}).");
}
